"""Help while a query is written: what can stand at the cursor, even in a text that is not yet a query."""
