"""The ONNX model server of Leeway: Open Inference Protocol over JSON, serving verified bundles only."""

from importlib.metadata import version

__version__ = version("leeway-serving")
