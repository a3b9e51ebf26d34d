"""The HTTP interfaces that other people's clients speak: tokens, remote actions, NQL, enrichment, device deletions."""
