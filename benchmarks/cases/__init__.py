"""The cases, one module per kind of input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cases import (
    coreml,
    diagnosis,
    external_data,
    growth,
    large_file,
    many_models,
    simulator,
    small_nodes,
    start_up,
)
from benchmarks.results import Point
from benchmarks.session import Session

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        key: what ``--case`` takes.
        title: one line.
        base: key of the contender that ratios refer to.
        measure: does it.
    """

    key: str
    title: str
    base: str
    measure: Callable[[Session], tuple[Point, ...]]


CASES = {
    case.key: case
    for case in (
        Case(
            "a",
            "20,000 small nodes, 500 of them Resize",
            "graphsurgeon-unchanged",
            small_nodes.twenty_thousand,
        ),
        Case("b", "1.5 GB in a single file, one attribute changes", "cp", large_file.measure),
        Case("c", "6 GB of external data beside a small model", "onnx-lazy", external_data.measure),
        Case(
            "d",
            "200,000 small nodes, 5,000 of them Resize",
            "graphsurgeon-unchanged",
            small_nodes.two_hundred_thousand,
        ),
        Case("e", "start-up of each command", "import-click", start_up.measure),
        Case("f", "1,000 small models in one call", "graphsurgeon", many_models.measure),
        Case(
            "simulator",
            "MobileNetV2 in the Core ML simulator and in onnxruntime",
            "onnxruntime-predicts",
            simulator.measure,
        ),
        Case("coreml", "ResNet50 to a Core ML package", "coremltools", coreml.measure),
        Case("diagnosis", "one wrong Resize in a network of 161 nodes", "polygraphy", diagnosis.measure),
        Case("growth-nodes", "1,000 to 200,000 small nodes", "graphsurgeon", growth.nodes),
        Case("growth-bytes", "single files of 50 MB to 1.5 GB", "cp", growth.file_sizes),
    )
}
