"""Pages for people: what every detector says of a model, and what it says it of."""

from leeway_drift.service.pages.routes import Source, add_pages

__all__ = ["Source", "add_pages"]
