"""The classic query language NXQL: read, understood by a mapping, and compiled into the plan that NQL has."""
