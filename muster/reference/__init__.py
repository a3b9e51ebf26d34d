"""The reference of the language as pages of Markdown, made from the same data that the language runs on."""
