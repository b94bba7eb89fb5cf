"""Core ML programs evaluated with numpy: reads a saved `.mlpackage`, runs it on any machine."""

from rewriter.coreml.simulator.model import Precision, SimulatedModel, load

__all__ = ["Precision", "SimulatedModel", "load"]
