"""From rows to integer counts, whose sum over ticks, windows and replicas is exact."""
