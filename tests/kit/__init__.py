"""The test kit: an Internet of our own, the real system in it, canaries, and an oracle that judges after every row."""
