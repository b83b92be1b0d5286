"""Implementations against the contracts."""
