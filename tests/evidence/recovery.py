"""One attempt to recover scrambled modes from one golden picture, judged by the true network alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from rewriter.model import Model
from rewriter.resampling import OnnxResize, compare
from rewriter.rewriting import rewrite
from tests.evidence.random_networks import build, golden_image, resizes, scrambled

__all__ = ["Outcome", "attempt", "counted_runs", "reference_run", "save_golden"]

Arrays = dict[str, np.ndarray]

_SHOWS = 2e-6
"""A change of the outputs by more than this share of their range is no rounding."""


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        wrong: resizes that were scrambled into something else.
        missed: resizes whose mode is not the true one although the outputs show it.
        runs: how often a network was really run.
        reported: how often the report says so.
        limit: 40 + 6 × resizes.
        evidence: the report.
    """

    wrong: int
    missed: list[str]
    runs: int
    reported: int
    limit: int
    evidence: dict[str, Any]

    @property
    def succeeded(self) -> bool:
        return not self.missed and self.runs <= self.limit and bool(self.evidence["passed"])


def reference_run(model: onnx.ModelProto, image: np.ndarray) -> Arrays:
    """A plain onnxruntime session, optimisations off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, {model.graph.input[0].name: image}), strict=True))


def save_golden(path: Path, image: np.ndarray, outputs: Arrays, name: str = "x") -> Path:
    np.savez(path, **{f"picture/in/{name}": image, **{f"picture/out/{k}": v for k, v in outputs.items()}})
    return path


@contextmanager
def counted_runs() -> Iterator[list[str]]:
    """Names of the graphs that onnxruntime runs, one entry per run."""
    original = onnxruntime.InferenceSession.run
    graphs: list[str] = []

    def counting(self: Any, *args: Any, **more: Any) -> Any:
        graphs.append(self.get_modelmeta().graph_name)
        return original(self, *args, **more)

    onnxruntime.InferenceSession.run = counting
    try:
        yield graphs
    finally:
        onnxruntime.InferenceSession.run = original


def attempt(kind: str, count: int, seed: int, folder: Path) -> Outcome:
    """Scramble a random network, and repair it from one golden picture of the true one."""
    true = build(kind, count, seed)
    wrong = scrambled(true, seed)
    image = golden_image(true, seed)
    expected = reference_run(true, image)
    golden = save_golden(folder / "golden.npz", image, expected)
    model = Model.from_proto(wrong)
    with counted_runs() as graphs:
        done = rewrite(model, reference=golden)
    assert done.evidence is not None
    return Outcome(
        wrong=sum(not _same(a, b, true) for a, b in zip(resizes(true), resizes(wrong), strict=True)),
        missed=list(_missed(true, model.to_proto(), image, expected)),
        runs=sum(graph != "axis" for graph in graphs),
        reported=done.evidence.model_runs,
        limit=40 + 6 * count,
        evidence=done.evidence.to_json(),
    )


def _missed(
    true: onnx.ModelProto, repaired: onnx.ModelProto, image: np.ndarray, expected: Arrays
) -> Iterator[str]:
    left = {node.name: node for node in resizes(repaired)}
    for position, a in enumerate(resizes(true)):
        b = left.get(a.name)
        if b is None:  # proved an identity and removed
            continue
        if not _same(a, b, true) and _shows(true, position, b, image, expected):
            yield a.name


def _shows(
    true: onnx.ModelProto, position: int, node: onnx.NodeProto, image: np.ndarray, expected: Arrays
) -> bool:
    """Whether the true network gives something else when one of its resizes is spelled as this node."""
    changed = onnx.ModelProto()
    changed.CopyFrom(true)
    target = resizes(changed)[position]
    del target.attribute[:]
    target.attribute.extend(node.attribute)
    got = reference_run(changed, image)
    return any(
        float(np.abs(got[name].astype(float) - array).max()) > _SHOWS * max(float(np.ptp(array)), 1e-30)
        for name, array in expected.items()
    )


def _same(a: onnx.NodeProto, b: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    """Whether the algebra proves that two spellings compute the same at a node's lengths."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
    before, after = shapes[a.input[0]], shapes[a.output[0]]
    first, second = (
        OnnxResize.from_attributes("Resize", 18, _words(node), sizes=after).semantics(before)
        for node in (a, b)
    )
    return compare(first, second).equal


def _words(node: onnx.NodeProto) -> dict[str, Any]:
    words = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    return {name: value for name, value in words.items() if name != "axes"}
