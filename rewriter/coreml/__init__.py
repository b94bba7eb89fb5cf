"""Apple's format: ONNX lowered to Core ML programs, and Core ML programs run on any machine."""
