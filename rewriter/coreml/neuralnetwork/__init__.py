"""ONNX → Core ML's older neuralnetwork format (iOS 13, iOS 14), with or without the custom layer for resizes.

Importing this needs no coremltools; calling `lower_network` does.
"""

from __future__ import annotations

from rewriter.coreml.neuralnetwork.lower import (
    CUSTOM_LAYER_CHOICES,
    LoweredNetwork,
    lower_network,
    resolve_network_target,
)

__all__ = ["CUSTOM_LAYER_CHOICES", "LoweredNetwork", "lower_network", "resolve_network_target"]
