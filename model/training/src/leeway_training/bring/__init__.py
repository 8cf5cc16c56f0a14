"""Bundles of models that somebody else trained."""
