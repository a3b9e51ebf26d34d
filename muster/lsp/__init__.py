"""The language server: the language's help inside the editors of others, over the language server protocol."""
