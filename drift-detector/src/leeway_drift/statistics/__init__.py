"""Distances between counts, and the threshold that holds for the largest of many: pure arithmetic on arrays."""
