"""Erasing devices and people: who asks, what would go, and the work until no file has anything of them."""
