"""One device: what is known of it, and closing its identity."""
