"""Meaning: an `Ast`, the catalog and a product area become a typed `Plan`. Knows no engine and reads no clock."""
