"""Questions that scripts put to whoever is logged in."""
