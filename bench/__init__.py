"""Figures: printed, kept as JSON, asserted nowhere."""
