"""Clients that we did not write, against this system: the `miosa` package of the Python index, sync and async.

`python -m pytest tests/conformance/published` ends with a table, made from what that very run saw.
"""
