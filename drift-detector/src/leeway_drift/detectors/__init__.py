"""What can be wrong with a window of rows: one file for each kind of drift, behind one interface."""
