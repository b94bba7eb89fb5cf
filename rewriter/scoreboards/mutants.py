"""Wrong resizes: every mode of every Resize node of a model, and which of them compute the same all the same."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from rewriter.errors import UsageError
from rewriter.resampling import OnnxResize, TensorResize, compare
from rewriter.verification import verify
from rewriter.verification.result import OutputResult, VerificationReport
from rewriter.verification.runners import Arrays, Runner

__all__ = [
    "MODES",
    "Mutant",
    "Outcome",
    "Remembered",
    "judge",
    "measured",
    "mutants",
    "opened",
    "tensor_shapes",
    "without_provenance",
]

COORDINATES = ("align_corners", "half_pixel", "asymmetric", "pytorch_half_pixel", "tf_half_pixel_for_nn")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def _modes() -> Iterator[dict[str, Any]]:
    for coordinates in COORDINATES:
        yield {"mode": "linear", "coordinate_transformation_mode": coordinates}
        for rounding in ROUNDINGS:
            yield {
                "mode": "nearest",
                "coordinate_transformation_mode": coordinates,
                "nearest_mode": rounding,
            }
    for coordinates in COORDINATES[:3]:
        for a, exclude in ((-0.75, 0), (-0.75, 1), (-0.5, 0), (-0.5, 1)):
            yield {
                "mode": "cubic",
                "coordinate_transformation_mode": coordinates,
                "cubic_coeff_a": a,
                "exclude_outside": exclude,
            }


MODES = tuple(_modes())


@dataclass(frozen=True)
class Mutant:
    """A model one of whose resizes has another mode.

    Attributes:
        model: the wrong model, with the provenance of the right one unless stripped.
        node: name of the changed node.
        changed: its new attributes.
        original: what it was, in words.
        equivalent: whether the algebra proves that it computes the same.
    """

    model: onnx.ModelProto
    node: str
    changed: dict[str, Any]
    original: str
    equivalent: bool

    def __str__(self) -> str:
        return f"{self.node}: {' '.join(map(str, self.changed.values()))} instead of {self.original}"


def resizes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == "Resize"]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def set_attributes(node: onnx.NodeProto, wanted: dict[str, Any]) -> None:
    """Replace what decides the sampling; `axes` stay."""
    kept = [attribute for attribute in node.attribute if attribute.name == "axes"]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(key, value) for key, value in wanted.items())])


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def without_provenance(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that records nothing of its origin."""
    bare = copied(model)
    del bare.metadata_props[:]
    for node in bare.graph.node:
        del node.metadata_props[:]
    return bare


def mutants(model: onnx.ModelProto, sizes: dict[str, tuple[int, ...]], every: int = 1) -> Iterator[Mutant]:
    """Each resize with each mode; of the whole list only every n-th.

    Args:
        model: with fixed shapes.
        sizes: shape of each tensor.
        every: step.
    """
    count = -1
    for index, node in enumerate(resizes(model)):
        shapes = sizes[node.input[0]], sizes[node.output[0]]
        axes = attributes(node).get("axes")
        for changed in MODES:
            count += 1
            if count % every:
                continue
            own, other = (_meaning(words, axes, *shapes) for words in (attributes(node), changed))
            wrong = copied(model)
            set_attributes(resizes(wrong)[index], changed)
            yield Mutant(wrong, node.name, changed, own.describe(), compare(own, other).equal)


def _meaning(
    words: dict[str, Any], axes: list[int] | None, before: tuple[int, ...], after: tuple[int, ...]
) -> TensorResize:
    """What a node computes; only the axes that it names are resized, the others are copied."""
    plain = {key: value for key, value in words.items() if key != "axes"}
    sizes = after
    if axes is not None:
        plain["axes"] = axes
        sizes = tuple(after[axis] for axis in axes)
    return OnnxResize.from_attributes("Resize", 19, plain, sizes=sizes).semantics(before)


def tensor_shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes by the onnx wheel's own inference; an open batch counts as 1."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: tuple(axis.dim_value or 1 for axis in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }


class Remembered:
    """A runner that computes each input only once: a reference for many candidates."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._known: dict[tuple[tuple[str, bytes], ...], Arrays] = {}
        self.name, self.kind, self.simulated = runner.name, runner.kind, runner.simulated
        self.precision, self.inputs, self.outputs = runner.precision, runner.inputs, runner.outputs
        self.source = runner.source

    def run(self, inputs: Arrays) -> Arrays:
        key = tuple((name, np.ascontiguousarray(array).tobytes()) for name, array in sorted(inputs.items()))
        if key not in self._known:
            self._known[key] = self._runner.run(inputs)
        return self._known[key]


@dataclass(frozen=True)
class Outcome:
    """What verification made of one mutant.

    Attributes:
        network, mutant: in words.
        verdict: ``named`` (failed, and the first finding names the node and both semantics), ``equivalent, passed``;
            everything else is a defect: ``survived``, ``equivalent, failed``, ``wrong node``, ``wrong semantics``.
        let_through: which of the usual metrics would have passed it.
    """

    network: str
    mutant: str
    verdict: str
    let_through: tuple[str, ...] = ()

    @property
    def is_equivalent(self) -> bool:
        """Whether the algebra proves that the mutant computes the same."""
        return self.verdict.startswith("equivalent")

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "network": self.network,
            "mutant": self.mutant,
            "verdict": self.verdict,
            "let_through": list(self.let_through),
        }


METRICS: dict[str, Callable[[OutputResult], bool]] = {
    "cosine >= 0.99": lambda output: output.cosine >= 0.99,
    "PSNR >= 30 dB": lambda output: output.psnr >= 30,
    "PSNR >= 40 dB": lambda output: output.psnr >= 40,
    "IoU >= 0.95": lambda output: output.mask_iou is None or output.mask_iou >= 0.95,
}
"""Thresholds that release pipelines use."""


def judge(network: str, reference: Runner, mutant: Mutant) -> Outcome:
    """Verify one mutant against the reference as `rewriter verify` does."""
    report = verify(reference, [mutant.model])
    outputs = [output for pair in report.pairs for case in pair.cases for output in case.outputs]
    through = tuple(name for name, passes in METRICS.items() if outputs and all(map(passes, outputs)))
    return Outcome(network, str(mutant), _verdict(report, mutant), through)


def opened(networks: Sequence[str]) -> Iterator[tuple[str, Runner, onnx.ModelProto]]:
    """Name, reference and converted model of each network; all sample networks where none is named.

    Raises:
        UsageError: neither a sample network nor a file.
    """
    from rewriter.tensorflow.convert import convert
    from rewriter.tensorflow.load import load
    from rewriter.verification.runners import open_runner

    samples = _samples()
    for name in networks or list(samples):
        if name not in samples and not Path(name).exists():
            raise UsageError(
                f"'{name}' is no file and no sample network",
                remedy=f"give a path, or one of {', '.join(samples)}" if samples else "give a path",
            )
        network = samples[name]() if name in samples else load(name)
        yield name, Remembered(open_runner(network)), convert(network)


def _samples() -> dict[str, Callable[[], Any]]:
    """The sample networks, where their folder is at hand: they are no part of the installed package."""
    try:
        models = importlib.import_module("models")
    except ModuleNotFoundError:
        return {}
    return {name: partial(models.build, name) for name in models.REGISTRY}


def measured(
    name: str, reference: Runner, model: onnx.ModelProto, every: int
) -> Iterator[Callable[[], Outcome]]:
    """The mutants of one network, each to be judged when it is called."""
    bare = without_provenance(model)
    for mutant in mutants(bare, tensor_shapes(bare), every):
        yield partial(judge, name, reference, mutant)


def _verdict(report: VerificationReport, mutant: Mutant) -> str:
    if mutant.equivalent:
        return "equivalent, passed" if report.passed else "equivalent, failed"
    if report.passed:
        return "survived"
    first = report.diagnosis[0] if report.diagnosis else None
    if first is None or first.node != mutant.node or first.level != "error":
        return "wrong node"
    if first.reference_semantics != mutant.original or not first.candidate_semantics:
        return "wrong semantics"
    return "named"
