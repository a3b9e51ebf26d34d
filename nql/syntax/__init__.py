"""Reading: a query text becomes an `Ast` as written, with a span on every node. Knows no catalog."""
