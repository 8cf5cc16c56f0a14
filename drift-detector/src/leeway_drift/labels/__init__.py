"""What a model said, joined with what turned out to be true."""
