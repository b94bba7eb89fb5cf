"""Models in Core ML's older neuralnetwork format, evaluated with numpy; the custom layer RWAlignedResize included."""

from __future__ import annotations

from rewriter.coreml.simulator.neuralnetwork.model import SimulatedNetwork, load_network

__all__ = ["SimulatedNetwork", "load_network"]
