"""An ONNX model whose resizes multiply by matrices that are fed as inputs; one onnxruntime session tries them all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from rewriter.errors import RewriterError, UnsupportedError
from rewriter.resampling import OnnxResize, TensorResize
from rewriter.verification.refit.candidate import Assignment
from rewriter.verification.refit.kernels import onnxruntime_matrix
from rewriter.verification.refit.onnx_parts import (
    Cut,
    is_resize,
    name_of,
    nested_resizes,
    own_record,
    reads,
    recorded_table,
    sources,
    without_functions,
)
from rewriter.verification.refit.suspects import Suspect, recorded_spelling
from rewriter.verification.runners import Arrays
from rewriter.verification.runners.onnx import first_line, session

__all__ = ["OnnxCandidate"]

_PREFIX = "rewriter.refit."


@dataclass(eq=False)
class _Place:
    """Where a suspect sits: its node, and the axes that any meaning of it changes."""

    suspect: Suspect
    node: onnx.NodeProto
    axes: tuple[int, ...] = ()
    masked: bool = False

    def widen(self, own: TensorResize) -> bool:
        """Take in the axes that a resize changes; whether there are new ones."""
        resized = {k for k, axis in enumerate(own.axes) if axis.n_in != axis.n_out or not axis.is_identity}
        before = (self.axes, self.masked)
        self.axes = tuple(sorted(resized.union(self.axes)))
        self.masked = self.masked or own.extrapolates
        return before != (self.axes, self.masked)

    def matrix_name(self, axis: int) -> str:
        return f"{_PREFIX}{self.node.output[0]}.{axis}"

    @property
    def mask_name(self) -> str:
        return f"{_PREFIX}{self.node.output[0]}.inside"

    @property
    def value_name(self) -> str:
        return f"{_PREFIX}{self.node.output[0]}.outside_value"


class OnnxCandidate:
    """See `Refittable`.

    Args:
        model: with its weights; it is not changed.
        cases: the model's own inputs by case.

    Attributes:
        runs: how often the model, or the part of it behind its first resizes, was run.
    """

    def __init__(self, model: onnx.ModelProto, cases: Mapping[str, Arrays]) -> None:
        self._model = without_functions(model)
        self._cases = cases
        self.unexamined: list[tuple[str, str]] = [
            (name_of(node), "it runs inside a subgraph") for node in nested_resizes(self._model.graph)
        ]
        self._nodes = [node for node in self._model.graph.node if is_resize(node)]
        self._cut = Cut(self._model.graph, self._nodes)
        self._tapped: dict[str, Arrays] = {}
        self._session: Any = None
        self._tapping: Any = None
        self.runs = 0
        self._influence: tuple[set[str], set[str]] | None = None
        first = next(iter(cases))
        self._tapped[first] = self._tap(cases[first])
        self._places = self._find(first)
        self.suspects = [place.suspect for place in self._places]

    def prepare(self, case: str) -> None:
        """Learn what the resizes compute at the lengths of a case."""
        if case in self._tapped:
            return
        values = self._tapped[case] = self._tap(self._cases[case])
        for place in self._places:
            own = _semantics(place.node, self._opset, values)
            place.suspect.own[case] = own
            if place.widen(own):
                self._session = None

    def outputs(self, case: str, assignment: Assignment) -> Arrays:
        """Outputs by name for the inputs of one case."""
        self.prepare(case)
        if not assignment:  # the model as it is, with its own resizes
            return {value.name: self._tapped[case][value.name] for value in self._model.graph.output}
        if self._session is None:
            self._session = _opened(self._exchangeable())
        values = self._tapped[case]
        feed = {name: values[name] for name in self._cut.frontier}
        for index, place in enumerate(self._places):
            meaning = place.suspect.meaning(assignment.get(index), case)
            feed.update(_feed(place, meaning))
        settled = {name: values[name] for name in self._cut.settled}
        self.runs += 1
        return {**settled, **_ran(self._session, feed)}

    @property
    def settled(self) -> list[str]:
        """Outputs of the model that depend on no resize."""
        return list(self._cut.settled)

    def influences(self, suspect: Suspect, outputs: Collection[str]) -> bool:
        """Whether any of these outputs is computed from what a suspect gives."""
        if self._influence is None or self._influence[0] != set(outputs):
            self._influence = set(outputs), sources(self._model.graph, outputs)
        return suspect.tensor in self._influence[1]

    @property
    def _opset(self) -> int:
        return next((o.version for o in self._model.opset_import if o.domain in ("", "ai.onnx")), 1)

    def _tap(self, inputs: Arrays) -> Arrays:
        """Everything that one run tells: inputs and shapes of resizes, and what the cut needs."""
        graph = self._model.graph
        wanted = {name for node in self._nodes for name in (*node.input, node.output[0]) if name}
        wanted |= {*self._cut.frontier, *self._cut.settled}
        known = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer if t.name in wanted}
        if self._tapping is None:
            tapped = onnx.ModelProto()
            tapped.CopyFrom(self._model)
            fixed = {value.name for value in (*graph.output, *graph.input)}
            fixed |= {tensor.name for tensor in graph.initializer}
            tapped.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted - fixed))
            self._tapping = _opened(tapped)
        self.runs += 1
        found = {**known, **inputs, **_ran(self._tapping, inputs)}
        odd = sorted(name for name in wanted if not isinstance(found[name], np.ndarray))
        if odd:
            raise UnsupportedError(f"'{odd[0]}' is a sequence or optional, which cannot be fed")
        return found

    def _find(self, case: str) -> list[_Place]:
        recorded = recorded_table(self._model)
        places = []
        for node in self._nodes:
            try:
                own = _semantics(node, self._opset, self._tapped[case])
            except RewriterError as error:
                self.unexamined.append((name_of(node), error.message))
                continue
            record = own_record(node) or recorded.get(node.name)
            suspect = Suspect(
                name_of(node), {case: own}, recorded_spelling(record), onnxruntime_matrix, node.output[0]
            )
            place = _Place(suspect, node)
            place.widen(own)
            places.append(place)
        return places

    def _exchangeable(self) -> onnx.ModelProto:
        """The part of the model behind its first resizes, each of which multiplies by its inputs."""
        first = next(iter(self._tapped.values()))
        by_output = {place.node.output[0]: place for place in self._places}
        model = onnx.ModelProto()
        model.ir_version = self._model.ir_version
        model.opset_import.extend(self._model.opset_import)
        graph = model.graph
        graph.name = "refit"
        graph.input.extend(_declaration(name, first[name].dtype) for name in self._cut.frontier)
        for node in self._cut.nodes:
            place = by_output.get(node.output[0])
            if place is None:
                graph.node.append(node)
                continue
            rank, dtype = first[node.output[0]].ndim, first[node.input[0]].dtype
            graph.node.extend(_multiplications(place, rank, dtype))
            graph.input.extend(
                _declaration(place.matrix_name(axis), np.dtype(np.float32)) for axis in place.axes
            )
            if place.masked:
                graph.input.append(_declaration(place.mask_name, np.dtype(np.bool_)))
                graph.input.append(_declaration(place.value_name, np.dtype(np.float32)))
        read = {name for node in graph.node for name in reads(node)}
        graph.initializer.extend(t for t in self._model.graph.initializer if t.name in read)
        graph.sparse_initializer.extend(self._model.graph.sparse_initializer)
        settled = set(self._cut.settled)
        graph.output.extend(v for v in self._model.graph.output if v.name not in settled)
        return model


def _opened(model: onnx.ModelProto) -> Any:
    try:
        return session(model.SerializeToString())
    except Exception as error:  # onnxruntime raises kinds of its own; protobuf refuses more than 2 GB
        raise UnsupportedError(f"the model cannot be taken apart: {first_line(error)}") from error


def _ran(running: Any, feed: Arrays) -> Arrays:
    given = {value.name for value in running.get_inputs()}
    names = [value.name for value in running.get_outputs()]
    try:
        got = running.run(names, {name: array for name, array in feed.items() if name in given})
    except Exception as error:  # as above
        raise UnsupportedError(f"the model cannot be run in parts: {first_line(error)}") from error
    return dict(zip(names, got, strict=True))


def _semantics(node: onnx.NodeProto, opset: int, values: Arrays) -> TensorResize:
    """What a node computes at the shapes and with the inputs of one run."""

    def given(index: int) -> list[Any] | None:
        name = node.input[index] if len(node.input) > index else ""
        return values[name].ravel().tolist() if name and values[name].size else None

    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    legacy = node.op_type == "Upsample" or opset < 11
    roi, scales, sizes = (None, given(1), None) if legacy else (given(1), given(2), given(3))
    crops = attributes.get("coordinate_transformation_mode") == b"tf_crop_and_resize"
    spelled = OnnxResize.from_attributes(
        node.op_type, opset, attributes, scales=scales, sizes=sizes, roi=roi if crops else None
    )
    return spelled.semantics(values[node.input[0]].shape, values[node.output[0]].shape)


def _multiplications(place: _Place, rank: int, dtype: np.dtype[Any]) -> Iterator[onnx.NodeProto]:
    """The nodes that replace a resize: for each axis one product with a matrix input."""
    source, target = place.node.input[0], place.node.output[0]
    steps: list[tuple[str, list[str], dict[str, Any]]] = []  # "" stands for the result of the step before
    if dtype != np.float32:
        steps.append(("Cast", [""], {"to": onnx.TensorProto.FLOAT}))
    for axis in place.axes:
        matrix = place.matrix_name(axis)
        if axis == rank - 1:
            steps.append(("MatMul", ["", matrix], {}))
        elif axis == rank - 2:
            steps.append(("MatMul", [matrix, ""], {}))
        else:
            swapped = list(range(rank))
            swapped[axis], swapped[-1] = rank - 1, axis  # its own inverse
            steps.append(("Transpose", [""], {"perm": swapped}))
            steps.append(("MatMul", ["", matrix], {}))
            steps.append(("Transpose", [""], {"perm": swapped}))
    if place.masked:
        steps.append(("Where", [place.mask_name, "", place.value_name], {}))
    if dtype != np.float32:
        steps.append(("Cast", [""], {"to": helper.np_dtype_to_tensor_dtype(dtype)}))
    steps.append(("Identity", [""], {}))
    for index, (op, inputs, attributes) in enumerate(steps):
        result = target if index == len(steps) - 1 else f"{_PREFIX}{target}:{index}"
        yield helper.make_node(op, [name or source for name in inputs], [result], **attributes)
        source = result


def _feed(place: _Place, meaning: TensorResize) -> Arrays:
    """Matrices, as the products read them, and where the extrapolation value belongs."""
    feed = {}
    for axis in place.axes:
        matrix = onnxruntime_matrix(meaning.axes[axis])
        feed[place.matrix_name(axis)] = matrix if axis == len(meaning.axes) - 2 else matrix.T
    if place.masked:
        feed[place.mask_name] = np.ascontiguousarray(meaning.inside_mask())
        feed[place.value_name] = np.array(meaning.extrapolation_value, np.float32)
    return feed


def _declaration(name: str, dtype: np.dtype[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), None)
