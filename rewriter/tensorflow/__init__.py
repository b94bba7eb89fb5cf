"""TensorFlow's side: Keras layers, loading, conversion to ONNX, and provenance.

Importing this package sets, before TensorFlow is imported, what makes its results comparable: oneDNN off, because
its fused kernels move results of some networks by 2e-3 of their range, and its start-up messages hidden.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
