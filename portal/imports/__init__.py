"""Writing history that no device sends, under the import identity; off unless the operator turned it on."""
