"""`openmiosa up`: three siblings (cell, egressd, server), started, watched and ended together."""
