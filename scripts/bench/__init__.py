"""What Leeway costs, measured."""
