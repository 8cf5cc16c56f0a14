"""What a strategy would do, before it is trusted: the shipped tests on simulated traffic."""
