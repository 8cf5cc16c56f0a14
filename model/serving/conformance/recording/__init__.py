"""What KServe's agent makes of requests to our server, kept as files for those who read its events."""
