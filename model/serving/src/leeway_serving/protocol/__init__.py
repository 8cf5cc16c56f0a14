"""Request bytes to tensors and tensors to answer bytes: pure functions, one module per protocol."""
