"""Fills and generates what of docs/ is made from something else."""
