"""Many light devices over the real wire, for measuring a portal: `muster load`."""
