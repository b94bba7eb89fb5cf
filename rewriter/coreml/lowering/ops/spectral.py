"""Fourier transforms of a fixed length: products with constant matrices."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import reshape, transpose
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__: list[str] = []

_LONGEST = 4096


@lowering("DFT")
def fourier_transform(node: Node) -> Var:
    """X[k] = Σ x[n] exp(∓2πi kn / N), as a real matrix of [2N, 2M] between (real, imaginary) pairs."""
    inverse, onesided = bool(node.attr("inverse", 0)), bool(node.attr("onesided", 0))
    axis = _axis(node)
    shape = node.shape(0)
    given, parts = shape[axis], shape[-1]
    length = node.constant(1)
    if node.has(1) and length is None:
        raise node.refuse("the length is only known at run time")
    size = (
        int(length.reshape(-1)[0])
        if length is not None
        else 2 * (given - 1)
        if inverse and onesided
        else given
    )
    matrix = _matrix(node, given, size, parts, inverse, onesided)
    if given == size and not (inverse and onesided):
        return _apply(*_with_symmetry(node.var(0), axis, matrix), axis=axis)
    return _apply(node.var(0), matrix, axis=axis)


def _axis(node: Node) -> int:
    if node.opset < 20:
        axis = int(node.attr("axis", 1))
    else:
        value = node.need_constant(2, "the axis") if node.has(2) else np.array(-2)
        axis = int(value.reshape(-1)[0])
    return axis % node.rank(0)


def _matrix(node: Node, given: int, size: int, parts: int, inverse: bool, onesided: bool) -> np.ndarray:
    """[given · parts, results · parts of a result]; what lies beyond `size` is cut off, what is missing is 0."""
    if size > _LONGEST:
        raise node.refuse(f"a length of {size}; up to {_LONGEST} a transform is a product with a matrix")
    identity = np.eye(given)
    columns = []
    for part in range(parts):
        signal = identity * (1j if part else 1.0)
        if inverse and onesided:
            columns.append(np.fft.irfft(signal, n=size, axis=1)[..., None])
            continue
        result = np.fft.ifft(signal, n=size, axis=1) if inverse else np.fft.fft(signal, n=size, axis=1)
        if onesided:
            result = result[:, : size // 2 + 1]
        columns.append(np.stack([result.real, result.imag], axis=-1))
    return np.stack(columns, axis=1)  # [given, parts, results, parts of a result]


def _with_symmetry(x: Var, axis: int, matrix: np.ndarray) -> tuple[Var, np.ndarray]:
    """The signal as x[k] + x[-k] and x[k] - x[-k], and the matrix for that.

    What is symmetric in exact arithmetic (the transform of a real signal) then cancels before it is rounded.
    """
    length = matrix.shape[0]
    mirror = (-np.arange(length)) % length
    reversed_ = mb.gather(x=x, indices=mirror.astype(np.int32), axis=axis)
    both = mb.concat(values=[mb.add(x=x, y=reversed_), mb.sub(x=x, y=reversed_)], axis=axis)
    even, odd = (matrix + matrix[mirror]) / 4, (matrix - matrix[mirror]) / 4
    return both, np.concatenate([even, odd])


def _apply(x: Var, matrix: np.ndarray, *, axis: int) -> Var:
    shape = static_shape(x)
    given, parts, results, out_parts = matrix.shape
    order = [a for a in range(len(shape)) if a not in (axis, len(shape) - 1)] + [axis, len(shape) - 1]
    outer = [shape[a] for a in order[:-2]]
    flat = reshape(transpose(x, order), (int(np.prod(outer)), given * parts))
    # An angle of a quarter turn has a cosine of 6e-17.
    weights = np.where(np.abs(matrix) < 1e-12, 0, matrix).astype(np.float32)
    product = mb.matmul(x=flat, y=weights.reshape(given * parts, results * out_parts))
    back = [order.index(a) for a in range(len(shape))]
    return transpose(reshape(product, (*outer, results, out_parts)), back)


@lowering("STFT")
def short_time_transform(node: Node) -> Var:
    """Frames taken by constant indices, weighted by the window, each transformed."""
    step = int(node.need_constant(1, "the frame step").reshape(-1)[0])
    onesided = bool(node.attr("onesided", 1))
    batch, length, parts = (*node.shape(0), 1)[:3]
    window = node.constant(2) if node.has(2) else None
    if node.has(2) and window is None:
        raise node.refuse("the window is only known at run time")
    if node.has(3):
        size = int(node.need_constant(3, "the frame length").reshape(-1)[0])
    else:
        size = window.shape[0] if window is not None else length
    count = 1 + (length - size) // step
    matrix = _matrix(node, size, size, parts, False, onesided)
    if window is not None:
        matrix = matrix * window.astype(np.float32).reshape(-1, 1, 1, 1)
    places = (np.arange(count)[:, None] * step + np.arange(size)[None]).reshape(-1).astype(np.int32)
    frames = mb.gather(x=reshape(node.var(0), (batch, length, parts)), indices=places, axis=1)
    return _apply(reshape(frames, (batch, count, size, parts)), matrix, axis=2)
