"""A drill: real flights with a fault in them, replayed fast through the endpoint, and what the detectors say of it."""
