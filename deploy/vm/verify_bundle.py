# ruff: noqa: INP001 - a script that lies beside others, and no package
"""Whether a folder holds the bundle that is to be served: exits 1 and says why if not.

Run by install.sh in the new server's environment, as the server's user: verify_bundle.py FOLDER DIGEST
"""

import sys
from pathlib import Path

from leeway_serving.errors import ModelError
from leeway_serving.http import Limits
from leeway_serving.loading import Told, load

folder, digest = sys.argv[1:]
try:
    load(Path(folder), name="candidate", told=Told(digest=digest), max_rows=Limits().rows)
except ModelError as error:
    sys.exit(f"verify_bundle: {error}")
