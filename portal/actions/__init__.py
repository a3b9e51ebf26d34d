"""Acting: actions are defined, runs asked for, executions followed."""
