"""Pictures and pages for people: SVG, and the report beside a drift profile."""
