//! Messages between server, egressd and cell, and the Unix-socket HTTP that carries them.
