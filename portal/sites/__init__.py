"""Sites: the partitions of the devices, which clients of the classic APIs know as Engines."""
