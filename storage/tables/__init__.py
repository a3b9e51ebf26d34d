"""The table store: what devices report, kept so that it survives anything and is ready for the query engine."""
