"""Plan to SQL: sqlglot trees built node by node. DuckDB runs them as the oracle of the tests."""
