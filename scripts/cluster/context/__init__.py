"""`make up CONTEXT=name`: Leeway on a cluster that somebody else has made, which keeps all that is on it."""
