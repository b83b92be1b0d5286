"""The whole system on a real kernel: what DESIGN says is settled, faults, bad input, state."""
