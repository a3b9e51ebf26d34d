"""What an agent asks of the machine it is on: one protocol, one module a platform, and a simulated device."""
