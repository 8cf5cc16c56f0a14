"""The ONNX model server of Leeway: Open Inference Protocol over JSON, serving verified bundles only."""

import os
from importlib.metadata import version

# onnxruntime's builds report to their maker unless told not to before it is imported, in an image or out of it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = version("leeway-serving")
