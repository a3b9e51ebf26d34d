"""The slice of what is trusted: authors and their signatures, secrets, the portal's own keys."""
