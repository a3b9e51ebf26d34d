"""Custom fields: what a company adds to its devices, people, binaries and packages."""
