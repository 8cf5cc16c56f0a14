"""The prediction store: what was asked, what was said, and what turned out to be true."""
