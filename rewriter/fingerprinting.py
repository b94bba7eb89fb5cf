"""Fingerprints of files: which resize a model, or one node of it, computes. The probing itself knows no files."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rewriter.errors import InputError, UnsupportedError, UsageError
from rewriter.resampling.fingerprint import Fingerprint, fingerprint
from rewriter.resampling.fingerprint.calling import Function

if TYPE_CHECKING:
    from onnx import ModelProto

    from rewriter.model import Model, ResizeNode

__all__ = ["Subject", "cut_out", "fingerprints", "subjects"]

_FREE_LENGTHS = (17, 23, 13, 11)
"""Lengths given to axes that a model leaves open: coprime, so that no resize of them is a special case."""


@dataclass(frozen=True)
class Subject:
    """Something to fingerprint.

    Attributes:
        name: file, node or callable, for reports.
        function: one array in, one out.
        shape: an input shape that it takes.
        dtype: element type of its input.
        node: the ONNX node that was cut out, with the graph it is in; None for anything else.
        problem: why it cannot be run; then there is no function to call.
    """

    name: str
    function: Function | None
    shape: tuple[int, ...] = ()
    dtype: str = "float32"
    node: tuple[str, str] | None = None
    problem: str | None = None


def fingerprints(
    source: Any,
    *,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    node: str | None = None,
    whole: bool = False,
) -> Iterator[tuple[Subject, Fingerprint | None]]:
    """Fingerprint what `source` holds; the arguments are those of `subjects`.

    A subject that cannot be run comes with None.
    """
    for subject in subjects(source, shape=shape, dtype=dtype, node=node, whole=whole):
        if subject.function is None:
            yield subject, None
        else:
            yield subject, fingerprint(subject.function, subject.shape, dtype=np.dtype(subject.dtype))


def subjects(
    source: Any,
    *,
    shape: Sequence[int] | None = None,
    dtype: str | None = None,
    node: str | None = None,
    whole: bool = False,
) -> list[Subject]:
    """What can be fingerprinted in `source`.

    Args:
        source: a callable on one array; ``pkg.module:callable``; or a model file: of an ``.onnx`` file every
            Resize and Upsample, each cut out of its graph, of other files the whole model.
        shape: input shape, where the source leaves it open.
        dtype: element type, where the source leaves it open; float32 by default.
        node: name of one Resize.
        whole: fingerprint a whole ONNX model.

    Raises:
        UsageError: options that do not fit the source, or a shape is missing.
        InputError: it cannot be found or read.
    """
    if callable(source):
        return [_of_callable(source, getattr(source, "__name__", type(source).__name__), shape, dtype)]
    text = str(source)
    if ":" in text and not Path(text).exists():
        return [_of_callable(_imported(text), text, shape, dtype)]
    path = Path(text)
    if path.suffix.lower() != ".onnx":
        if node is not None:
            raise UsageError("--node is for ONNX files", remedy="leave it out")
        return [_of_runner(path, shape, dtype)]
    if whole:
        return [_of_runner(path, shape, dtype)]
    from rewriter.model import Model

    model = Model.load(path)
    resizes = model.resizes()
    if node is not None:
        resizes = [resize for resize in resizes if resize.name == node]
        if not resizes:
            raise InputError("no Resize and no Upsample of this name", file=path, node=node)
    if not resizes:
        return [_of_runner(path, shape, dtype)]
    return [_of_node(model, resize, shape, strict=node is not None) for resize in resizes]


def _imported(text: str) -> Any:
    module, _, name = text.partition(":")
    # As `python -m` does: what lies in the current directory can be imported.
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"cannot import '{text}': {error}", remedy="give a file, or pkg.module:callable"
        ) from error
    if not callable(found):
        raise InputError(f"'{text}' is not callable")
    return found


def _of_callable(function: Any, name: str, shape: Sequence[int] | None, dtype: str | None) -> Subject:
    if shape is None:
        raise UsageError(
            "the input shape of a callable is not known", remedy="give it, e.g. --shape 1,17,23,3"
        )
    return Subject(name, function, tuple(shape), dtype or "float32")


def _of_runner(path: Path, shape: Sequence[int] | None, dtype: str | None) -> Subject:
    """A whole model; it must have one input and one output."""
    from rewriter.verification.runners import open_runner

    runner = open_runner(path)
    for what, specs in (("input", runner.inputs), ("output", runner.outputs)):
        if len(specs) != 1:
            raise UnsupportedError(
                f"a resize has one {what}, this model has {len(specs)}",
                file=path,
                remedy="give the name of one node with --node" if path.suffix == ".onnx" else None,
            )
    spec, result = runner.inputs[0], runner.outputs[0].name
    chosen = tuple(shape) if shape is not None else _filled(spec.shape)

    def function(x: np.ndarray) -> np.ndarray:
        return runner.run({spec.name: x})[result]

    return Subject(path.name, function, chosen, dtype or str(spec.dtype))


def _filled(shape: Sequence[int | str | None]) -> tuple[int, ...]:
    """Open lengths: 1 for the first axis, odd lengths for the others."""
    free = iter(_FREE_LENGTHS)
    return tuple(
        length if isinstance(length, int) else 1 if axis == 0 else next(free, 7)
        for axis, length in enumerate(shape)
    )


def _of_node(model: Model, resize: ResizeNode, shape: Sequence[int] | None, strict: bool) -> Subject:
    place = (resize.name, resize.graph_path)
    try:
        proto, fed, dtype = cut_out(model, resize, shape)
        function = _session_function(proto)
    except (UnsupportedError, InputError) as error:
        if strict:
            raise
        return Subject(resize.name, None, node=place, problem=error.message)
    return Subject(resize.name, function, fed, dtype, place)


def _session_function(proto: ModelProto) -> Function:
    from rewriter.verification.runners.onnx import first_line, session

    try:
        opened = session(proto.SerializeToString())
    except Exception as error:  # onnxruntime raises kinds of its own, all derived from Exception
        raise UnsupportedError(f"onnxruntime cannot load the node: {first_line(error)}") from error
    return lambda x: opened.run(None, {"X": x})[0]


def cut_out(
    model: Model, resize: ResizeNode, shape: Sequence[int] | None = None
) -> tuple[ModelProto, tuple[int, ...], str]:
    """One resize as a model of its own, with its constants; all lengths of its input are open.

    Returns:
        The model (input ``X``, output ``Y``), an input shape for it, and the element type.

    Raises:
        UnsupportedError: its scales, sizes or region are computed while the model runs; or its rank is not known.
    """
    from onnx import TensorProto, helper

    dtype = _element_type(model, resize)
    fed = _fed_shape(resize, shape)
    constants = _constants(resize, fed)
    attributes = {name: value for name, value in resize.node.attrs.items() if name != "scales"}
    if resize.is_parametric:
        raise UnsupportedError("its attributes are parameters of the function around it", node=resize.name)
    if "scales" in resize.node.attrs:
        attributes["scales"] = resize.node.attrs["scales"]
    order = ("scales",) if resize.is_legacy else ("roi", "scales", "sizes")
    names = ["X", *(name if name in constants else "" for name in order)]
    while names[-1] == "" and not resize.is_legacy and resize.opset >= 13:
        names.pop()
    initializers = {name: constants[name] for name in order if name in constants}
    if "" in names:
        # Resize-11 wants its inputs to be there, though they may be empty.
        for position, name in enumerate(names):
            if name == "" and resize.opset < 13:
                names[position] = f"no_{order[position - 1]}"
                initializers[names[position]] = np.zeros(0, np.float32)
    if resize.op == "Upsample" and "scales" in attributes:
        names = ["X"]
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    lengths = [f"length_{axis}" for axis in range(len(fed))]
    graph = helper.make_graph(
        [helper.make_node(resize.op, names, ["Y"], name=resize.name, **attributes)],
        "cut_out",
        [helper.make_tensor_value_info("X", code, lengths)],
        [helper.make_tensor_value_info("Y", code, [None] * len(fed))],
        [_initializer(name, value) for name, value in initializers.items()],
    )
    assert code != TensorProto.UNDEFINED
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", resize.opset)], ir_version=8)
    return proto, fed, dtype


def _initializer(name: str, value: np.ndarray) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(value, name)


def _element_type(model: Model, resize: ResizeNode) -> str:
    dtype = model.dtype(resize.node.inputs[0], resize.scope)
    return "float32" if dtype is None or isinstance(dtype, int) else str(np.dtype(dtype))


def _fed_shape(resize: ResizeNode, shape: Sequence[int] | None) -> tuple[int, ...]:
    if shape is not None:
        return tuple(shape)
    known = resize.input_shape
    values = resize.scales if resize.scales is not None else resize.sizes
    if known is None and values is not None and "axes" not in resize.node.attrs:
        known = tuple(None for _ in values)
    if known is None:
        raise UnsupportedError(
            "the rank of its input is not known", node=resize.name, remedy="give the shape with --shape"
        )
    fed = list(_filled(known))
    for axis in range(min(2, len(fed))) if len(fed) > 2 else ():
        if resize.scales is not None and "axes" not in resize.node.attrs and resize.scales[axis] == 1:
            fed[axis] = min(fed[axis], 2) if axis else 1  # copied: no need for hundreds of channels
    return tuple(fed)


def _constants(resize: ResizeNode, fed: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The constant inputs; sizes that are computed from known lengths count as constant."""
    from rewriter.model import constant_value

    constants: dict[str, np.ndarray] = {}
    roi = resize.input("roi")
    if roi is not None and (value := constant_value(roi)) is not None:
        if value.size or resize.opset < 13:
            constants["roi"] = value.astype(np.float32)
    elif roi is not None and resize.coordinate_transformation_mode == "tf_crop_and_resize":
        raise UnsupportedError("its region is computed while the model runs", node=resize.name)
    if resize.scales is not None:
        if "scales" not in resize.node.attrs:
            constants["scales"] = np.array(resize.scales, np.float32)
        return constants
    if resize.sizes is not None:
        constants["sizes"] = np.array(resize.sizes, np.int64)
        return constants
    if resize.lengths is None:
        raise UnsupportedError(
            "its scales or sizes are computed while the model runs",
            node=resize.name,
            remedy="fix the model's input shape, or fold its constants",
        )
    axes = resize.node.attrs.get("axes", range(len(fed)))
    constants["sizes"] = np.array([resize.lengths[axis][1] for axis in axes], np.int64)
    return constants
