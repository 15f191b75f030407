"""Our pages in a real Chromium: what a person sees, hears from a screen reader, and reaches with a keyboard."""
