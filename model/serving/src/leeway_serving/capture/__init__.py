"""What the server tells the drift detector of its inferences, without ever making one wait.

The event loop puts finished inferences into a bounded buffer; a thread of its own turns them into CloudEvents and sends
them in batches. What the buffer cannot hold is dropped and counted.
"""
