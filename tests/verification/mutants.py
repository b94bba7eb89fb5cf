"""Wrong resizes: every mode of every Resize node of a model, and which of them compute the same all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from rewriter.resampling import OnnxResize, compare
from rewriter.verification.runners import Arrays, Runner

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
        for changed in MODES:
            count += 1
            if count % every:
                continue
            own, other = (_meaning(words, *shapes) for words in (attributes(node), changed))
            wrong = copied(model)
            set_attributes(resizes(wrong)[index], changed)
            yield Mutant(wrong, node.name, changed, own.describe(), compare(own, other).equal)


def _meaning(words: dict[str, Any], before: tuple[int, ...], after: tuple[int, ...]):  # type: ignore[no-untyped-def]
    plain = {key: value for key, value in words.items() if key != "axes"}
    return OnnxResize.from_attributes("Resize", 19, plain, sizes=after).semantics(before)


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
