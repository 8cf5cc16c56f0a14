"""The network side of the detector: HTTP API, worker, metrics and logs."""
