"""TensorFlow's side: Keras layers, loading, conversion to ONNX, and provenance."""
