"""The estate: a believable history of simulated devices, equal for equal seeds, for every table one may ask."""
