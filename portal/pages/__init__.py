"""The console's pages: shells with their first data, and the static files of the bundle."""
