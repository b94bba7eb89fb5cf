"""Weights that are stored compressed: quantised, palettised, sparse, or in float16.

iOS 16 packs bits into bytes, least significant bit first, and gives the shape beside them; iOS 18 has element types
of 1 to 6 bits that carry their shape. Both spell the operators alike, so the parameters tell which is meant.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.coreml.simulator.call import Array, Call, widened
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("constexpr_cast")
def constexpr_cast(call: Call) -> Array:
    """Weights kept in float16."""
    return call.stored("source_val").astype(call.dtype)


@kernel("constexpr_affine_dequantize")
def constexpr_affine_dequantize(call: Call) -> Array:
    """scale * (data - zero_point), both scalars or vectors along `axis`."""
    data = call.stored("quantized_data").astype(np.float32)
    scale, zero_point = (
        _along(call.tensor(name), data.ndim, call.integer("axis")) for name in ("scale", "zero_point")
    )
    return scale * (data - zero_point.astype(np.float32))


@kernel("constexpr_blockwise_shift_scale")
def constexpr_blockwise_shift_scale(call: Call) -> Array:
    """scale * (data - offset), both repeated over blocks of data."""
    offset = call.stored("offset") if call.has("offset") else None
    return _shift_scale(call.stored("data"), call.stored("scale"), offset)


@kernel("constexpr_lut_to_dense")
def constexpr_lut_to_dense(call: Call) -> Array:
    """Each index replaced by its entry of a look-up table."""
    lut = call.stored("lut")
    if call.has("shape"):
        shape = call.integers("shape")
        bits = (lut.size - 1).bit_length()
        return lut[_unpacked(call.stored("indices"), bits, int(np.prod(shape)))].reshape(shape)
    axis = call.integer("vector_axis") if call.has("vector_axis") else None
    return _looked_up(call.stored("indices"), lut, axis)


@kernel("constexpr_sparse_to_dense")
def constexpr_sparse_to_dense(call: Call) -> Array:
    """The non-zero values put where the mask is set."""
    mask = call.stored("mask")
    if call.has("shape"):
        shape = call.integers("shape")
        mask = _unpacked(mask, 1, int(np.prod(shape))).reshape(shape)
    return _dense(mask, call.stored("nonzero_data"))


@kernel("constexpr_lut_to_sparse")
def constexpr_lut_to_sparse(call: Call) -> tuple[Array, Array]:
    """The mask and the non-zero values of a sparse tensor of indices, looked up."""
    mask, lut = call.stored("indices_mask"), call.stored("lut")
    axis = call.integer("vector_axis") if call.has("vector_axis") else None
    dense = _looked_up(_dense(mask, call.stored("indices_nonzero_data")), lut, axis)
    if axis is not None:
        mask = np.repeat(mask, lut.shape[-1], axis)
    return mask, dense[mask != 0]


@kernel("constexpr_sparse_blockwise_shift_scale")
def constexpr_sparse_blockwise_shift_scale(call: Call) -> tuple[Array, Array]:
    """The mask and the non-zero values of a sparse tensor, scale * (data - offset)."""
    mask = call.stored("data_mask")
    offset = call.stored("offset") if call.has("offset") else None
    dense = _shift_scale(_dense(mask, call.stored("nonzero_data")), call.stored("scale"), offset)
    return mask, dense[mask != 0]


@kernel("quantize")
def quantize(call: Call) -> Array:
    """clip(round(input / scale) + zero_point) to int8 or uint8."""
    values = call.tensor("input")
    axis = call.integer("axis") if call.has("axis") else 0
    levels = np.rint(values / _along(call.tensor("scale"), values.ndim, axis))
    if call.has("zero_point"):
        levels = levels + _along(call.stored("zero_point"), values.ndim, axis).astype(np.float32)
    limits = np.iinfo(call.dtype)
    return np.clip(levels, limits.min, limits.max)


@kernel("dequantize")
def dequantize(call: Call) -> Array:
    """scale * (input - zero_point)."""
    values = call.stored("input").astype(np.float32)
    axis = call.integer("axis") if call.has("axis") else 0
    if call.has("zero_point"):
        values = values - _along(call.stored("zero_point"), values.ndim, axis).astype(np.float32)
    return values * _along(call.tensor("scale"), values.ndim, axis)


def _along(parameter: Array, rank: int, axis: int) -> Array:
    """A scalar as it is; a vector shaped to lie along `axis` of a tensor of that rank."""
    if parameter.ndim == 0:
        return parameter
    shape = [1] * rank
    shape[axis] = -1
    return parameter.reshape(shape)


def _shift_scale(data: Array, scale: Array, offset: Array | None) -> Array:
    values = widened(data).astype(np.float32)
    if offset is not None:
        values = values - _blown_up(widened(offset).astype(np.float32), data.shape)
    return values * _blown_up(widened(scale), data.shape)


def _blown_up(parameter: Array, shape: Sequence[int]) -> Array:
    """Repeat along every axis up to `shape`."""
    for axis, length in enumerate(shape):
        parameter = np.repeat(parameter, length // parameter.shape[axis], axis)
    return parameter


def _dense(mask: Array, values: Array) -> Array:
    dense = np.zeros(mask.shape, values.dtype)
    dense[mask != 0] = values
    return dense


def _looked_up(indices: Array, lut: Array, vector_axis: int | None) -> Array:
    """Tables lut [*groups, palette, vector], one for each block of indices; a vector fills `vector_axis`."""
    tables = _blown_up(lut, indices.shape)
    chosen = np.take_along_axis(tables, indices.astype(np.int64)[..., None, None], axis=-2)[..., 0, :]
    if vector_axis is None or lut.shape[-1] == 1:
        return chosen[..., 0]
    axis = vector_axis % indices.ndim
    shape = list(indices.shape)
    shape[axis] *= lut.shape[-1]
    return np.moveaxis(chosen, -1, axis + 1).reshape(shape)


def _unpacked(data: Array, bits: int, count: int) -> Array:
    """Numbers of so many bits from bytes, least significant bit first."""
    stream = np.unpackbits(data.astype(np.uint8), bitorder="little")[: bits * count].reshape(count, bits)
    return stream @ (1 << np.arange(bits))
