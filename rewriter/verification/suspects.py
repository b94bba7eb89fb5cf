"""The resizes of an ONNX candidate, and every other way each of them might have been meant.

A spelling is one choice of attributes. Two spellings whose matrices are equal at the node's shapes are the same
choice, so only those that differ are ever tried.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper

from rewriter.errors import UnsupportedError
from rewriter.resampling import Comparison, OnnxResize, TensorResize, compare
from rewriter.resampling.tensorflow import TF_RESIZES, onnx_attributes
from rewriter.verification.runners import Arrays
from rewriter.verification.runners.onnx import session

__all__ = ["Spelling", "Suspect", "find_suspects"]

Attributes = dict[str, Any]
_NODE_KEY, _MODEL_KEY = "rewriter.source", "rewriter.sources"


@dataclass(frozen=True)
class Spelling:
    """Attributes of a Resize that decide what it samples."""

    mode: str
    coordinate_transformation_mode: str
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: int = 0

    def attributes(self) -> Attributes:
        return dict(self.__dict__)

    def describe(self) -> str:
        words = [self.mode, self.coordinate_transformation_mode]
        if self.mode == "nearest":
            words.append(self.nearest_mode)
        if self.mode == "cubic":
            words.append(f"a={self.cubic_coeff_a:g}")
        return " ".join(words)


_LINEAR = [
    Spelling("linear", mode) for mode in ("align_corners", "half_pixel", "asymmetric", "pytorch_half_pixel")
]
_NEAREST = [
    Spelling("nearest", "asymmetric", "floor"),
    Spelling("nearest", "half_pixel", "round_prefer_ceil"),
    Spelling("nearest", "half_pixel", "round_prefer_floor"),
    Spelling("nearest", "align_corners", "round_prefer_ceil"),
    Spelling("nearest", "half_pixel", "floor"),
    Spelling("nearest", "asymmetric", "ceil"),
    Spelling("nearest", "half_pixel", "ceil"),
    Spelling("nearest", "align_corners", "floor"),
    Spelling("nearest", "align_corners", "ceil"),
    Spelling("nearest", "asymmetric", "round_prefer_ceil"),
    Spelling("nearest", "asymmetric", "round_prefer_floor"),
    Spelling("nearest", "align_corners", "round_prefer_floor"),
]
_CUBIC = [
    Spelling("cubic", coordinates, "round_prefer_floor", a, exclude)
    for coordinates in ("align_corners", "half_pixel", "asymmetric")
    for a, exclude in ((-0.75, 0), (-0.5, 1), (-0.5, 0))
]
_BY_MODE = {"linear": _LINEAR, "nearest": _NEAREST, "cubic": _CUBIC}


@dataclass
class Suspect:
    """One Resize node of the candidate.

    Attributes:
        name: the node's name, or that of its first output.
        node: the node inside the working copy of the model; edits to it change what runs.
        spelling: what it says now.
        provenance: what the TensorFlow op behind it says, None where nothing is recorded.
        shapes: input and output shape at the probe, None inside subgraphs and functions.
        alternatives: spellings that compute something else, the same mode first.
    """

    name: str
    node: onnx.NodeProto
    spelling: Spelling
    provenance: Spelling | None
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None
    alternatives: list[Spelling] = field(default_factory=list)

    def semantics(self, spelling: Spelling) -> TensorResize | None:
        """What a spelling computes at this node's shapes; None where shapes are not known."""
        if self.shapes is None:
            return None
        source, target = self.shapes
        resize = OnnxResize.from_attributes("Resize", 19, spelling.attributes(), sizes=target)
        return resize.semantics(source)

    def compare(self, first: Spelling, second: Spelling) -> Comparison | None:
        """`second` against `first` at this node's shapes."""
        a, b = self.semantics(first), self.semantics(second)
        return None if a is None or b is None else compare(a, b)

    def set(self, spelling: Spelling) -> None:
        """Write a spelling onto the node of the working copy."""
        wanted = spelling.attributes()
        kept = [attribute for attribute in self.node.attribute if attribute.name not in wanted]
        del self.node.attribute[:]
        self.node.attribute.extend(kept)
        self.node.attribute.extend(helper.make_attribute(key, value) for key, value in wanted.items())


def find_suspects(model: onnx.ModelProto, inputs: Arrays) -> list[Suspect]:
    """Every Resize (opset 11 and later) of the model, in graph order, with its alternatives.

    Args:
        model: the working copy that `Suspect.set` edits.
        inputs: one set of inputs, run once to learn the shapes.
    """
    shapes = _resize_shapes(model, inputs)
    recorded = _recorded(model)
    suspects = []
    for node in _resizes(model):
        name = node.name or node.output[0]
        spelling = _spelling(node)
        if spelling is None:
            continue
        suspect = Suspect(name, node, spelling, _provenance(node, recorded), shapes.get(node.output[0]))
        suspect.alternatives = _alternatives(suspect)
        suspects.append(suspect)
    return suspects


def _resizes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    yield from _resizes_of(model.graph.node)
    for function in model.functions:
        yield from _resizes_of(function.node)


def _resizes_of(nodes: Any) -> Iterator[onnx.NodeProto]:
    for node in nodes:
        if node.op_type == "Resize" and node.domain in ("", "ai.onnx"):
            yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _resizes_of(graph.node)


def _spelling(node: onnx.NodeProto) -> Spelling | None:
    """None for Resize-10 (no coordinate mode) and crops, whose region is an input."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if len(node.input) < 3:
        return None
    try:
        resize = OnnxResize.from_attributes("Resize", 19, attributes, sizes=[1], roi=[0.0, 1.0])
    except UnsupportedError:
        return None
    if resize.coordinate_transformation_mode == "tf_crop_and_resize" or resize.antialias:
        return None
    return Spelling(
        resize.mode,
        resize.coordinate_transformation_mode,
        resize.nearest_mode,
        round(resize.cubic_coeff_a, 6),
        int(resize.exclude_outside),
    )


def _alternatives(suspect: Suspect) -> list[Spelling]:
    own = suspect.spelling.mode
    order = [*_BY_MODE[own], *(s for mode, spellings in _BY_MODE.items() if mode != own for s in spellings)]
    if suspect.provenance is not None:
        order.insert(0, suspect.provenance)
    chosen: list[Spelling] = []
    seen = [suspect.semantics(suspect.spelling)]
    for spelling in order:
        semantics = suspect.semantics(spelling)
        if semantics is None:  # no shapes, so no algebra: different words are all there is to go by
            if spelling != suspect.spelling and spelling not in chosen:
                chosen.append(spelling)
        elif not any(other is not None and compare(other, semantics).equal for other in seen):
            seen.append(semantics)
            chosen.append(spelling)
    return chosen


def _resize_shapes(
    model: onnx.ModelProto, inputs: Arrays
) -> Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Output name → (input shape, output shape) of the main graph's resizes, from one run."""
    nodes = [node for node in model.graph.node if node.op_type == "Resize"]
    tapped = onnx.ModelProto()
    tapped.CopyFrom(model)
    known = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    outputs = {value.name for value in model.graph.output}
    wanted = list(dict.fromkeys(name for node in nodes for name in (node.input[0], node.output[0])))
    own_inputs = {value.name for value in model.graph.input}
    tapped.graph.output.extend(
        onnx.ValueInfoProto(name=name)
        for name in wanted
        if name not in outputs and name not in own_inputs and name not in known
    )
    running = session(tapped.SerializeToString())
    names = [value.name for value in running.get_outputs()]
    feed = {value.name: inputs[value.name] for value in running.get_inputs()}
    shapes = {**known, **{name: array.shape for name, array in feed.items()}}
    shapes.update({name: np.shape(a) for name, a in zip(names, running.run(names, feed), strict=True)})
    return {node.output[0]: (shapes[node.input[0]], shapes[node.output[0]]) for node in nodes}


def _recorded(model: onnx.ModelProto) -> dict[str, Any]:
    for entry in model.metadata_props:
        if entry.key == _MODEL_KEY:
            return _json_object(entry.value)
    return {}


def _provenance(node: onnx.NodeProto, recorded: Mapping[str, Any]) -> Spelling | None:
    own = [entry.value for entry in node.metadata_props if entry.key == _NODE_KEY]
    record = _json_object(own[0]) if own else recorded.get(node.name)
    if not isinstance(record, dict) or record.get("op") not in TF_RESIZES:
        return None
    try:
        words = onnx_attributes(
            record["op"], bool(record.get("align_corners")), bool(record.get("half_pixel_centers"))
        )
    except UnsupportedError:
        return None
    return Spelling(**words)  # type: ignore[arg-type]


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
