"""The control database: who may do what, which devices are enrolled, which runs are asked for and how each
execution stands."""
