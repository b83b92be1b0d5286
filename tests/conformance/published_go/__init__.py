"""The published Go client against this system; see `__main__`."""
