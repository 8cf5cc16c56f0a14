"""Bounds of what one event may carry; its body comes from whoever may call the model."""

MAX_COLUMNS = 1024
"""Columns one event may have; an image's pixels are not features to watch one by one."""

MAX_CELLS = 2**21
"""Values one event may have; sparse V1 rows could otherwise become many times their body."""

MAX_NAME = 256
"""Characters of a column's name."""
