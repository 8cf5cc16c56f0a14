"""Real database servers for tests: Debian's own, unpacked and not installed, in a folder that goes with them."""
