"""Small real servers that behave like other people's: identity providers with their quirks, each on a port of its own."""
