"""Schemathesis runs contracts/openapi.json against the real server.

`python -m pytest tests/conformance/schemathesis -s` prints the numbers; OPENMIOSA_SCHEMATHESIS_SECONDS gives it more time.
"""
