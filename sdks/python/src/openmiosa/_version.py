"""The version of the client, said in one place."""

__version__ = "0.1.0"
