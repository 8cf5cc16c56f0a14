"""Data to a verified model bundle: check, split by time, fit, evaluate against a gate, export to ONNX."""
