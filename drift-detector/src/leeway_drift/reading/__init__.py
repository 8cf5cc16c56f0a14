"""From an event on the wire to rows: attributes, bodies, tensors. Nothing here is trusted."""
