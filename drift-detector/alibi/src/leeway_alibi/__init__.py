"""Alibi-Detect 0.11.4 as a worker of the drift detector, in an environment of its own."""
