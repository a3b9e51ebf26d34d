"""The classic HTTP APIs, as clients of the other product speak them: Act, List Engines, NXQL."""
