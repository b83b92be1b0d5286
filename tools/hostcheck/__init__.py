"""What this machine lacks: `python3 -m tools.hostcheck`, in plain Python 3.8."""
