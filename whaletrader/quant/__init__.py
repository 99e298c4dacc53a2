"""Statistics: arrays and numbers in, numbers out. No I/O and no types of the project."""
