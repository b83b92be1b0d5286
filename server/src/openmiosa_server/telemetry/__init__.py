"""Logging and metrics; imported by main alone."""
