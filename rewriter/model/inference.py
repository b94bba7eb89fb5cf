"""onnx's shape inference. It is native code, which some invalid models bring down: so in a process of its own."""

from __future__ import annotations

import onnx
from onnx import ModelProto

from rewriter.isolation import CrashError, elsewhere

__all__ = ["infer", "infer_strictly"]

_FAILURES = (
    onnx.shape_inference.InferenceError,
    onnx.checker.ValidationError,
    RuntimeError,
    ValueError,
)
_FAILED, _LENIENT, _STRICT = b"-", b"l", b"s"


def infer(proto: ModelProto, *, data_prop: bool = False) -> ModelProto | None:
    """The model with the types that inference finds; None where it fails or crashes.

    Args:
        proto: without weights, or with small ones: it is copied.
        data_prop: whether values of shape tensors are followed too.
    """
    return _run(proto, strict=False, data_prop=data_prop)[0]


def infer_strictly(proto: ModelProto) -> tuple[ModelProto | None, bool]:
    """As `infer`, and whether the strict form of inference, with types checked, accepts the model."""
    return _run(proto, strict=True, data_prop=False)


def _run(proto: ModelProto, *, strict: bool, data_prop: bool) -> tuple[ModelProto | None, bool]:
    try:
        data = proto.SerializeToString()
        with elsewhere(lambda: _inferred(data, strict, data_prop)) as result:
            answer = result()
    except (CrashError, *_FAILURES):
        # An invalid model; the checker that runs before anything is written says what is wrong with it.
        return None, False
    how, message = answer[:1], answer[1:]
    return (None if how == _FAILED else ModelProto.FromString(message)), how == _STRICT


def _inferred(data: bytes, strict: bool, data_prop: bool) -> bytes:
    """How inference went, one byte, and what it gave."""
    if strict:
        try:
            model = onnx.shape_inference.infer_shapes(data, check_type=True, strict_mode=True)
            return _STRICT + model.SerializeToString()
        except _FAILURES:
            pass  # the lenient form finds what can be found
    try:
        return _LENIENT + onnx.shape_inference.infer_shapes(data, data_prop=data_prop).SerializeToString()
    except _FAILURES:
        return _FAILED
