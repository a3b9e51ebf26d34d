"""What is kept: the tables that queries read (`tables`) and the control database (`control`). Neither knows the
other.
"""
