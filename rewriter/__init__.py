"""Resize semantics carried exactly from TensorFlow through ONNX to Core ML."""

__version__ = "0.1.0"
