"""What all dashboards are made of: queries, panels, and the frame around them."""
