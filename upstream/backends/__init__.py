"""One social-auth backend a type of provider, over `ProviderBackend`: identity checks and each type's quirks."""
