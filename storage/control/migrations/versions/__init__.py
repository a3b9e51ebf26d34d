"""One migration a file, in the order of their numbers. A migration never changes once it was released."""
