"""The commands of the program `muster`, one a file: what it is for, its options, and what it does with them."""
