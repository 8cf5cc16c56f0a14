"""Leeway's drift detector: a core that needs numpy only, and the service around it (extra ``service``)."""
