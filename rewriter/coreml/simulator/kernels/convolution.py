"""Convolution and transposed convolution over 1, 2 or 3 axes, through matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.fast_convolution import convolve_constant
from rewriter.coreml.simulator.kernels.windows import Window, read_windows
from rewriter.coreml.simulator.registry import kernel
from rewriter.errors import UnsupportedError

__all__: list[str] = []

# Columns are gathered for at most this many bytes at a time, so that a large image costs no large copy.
_COLUMN_BYTES = 32 << 20
# A depthwise convolution goes through blocks of channels that stay in the cache.
_BLOCK_BYTES = 256 << 10
# Indexes the batch and channel axes, in front of the spatial ones.
_ALL: tuple[Any, ...] = (slice(None), slice(None))


@kernel("conv")
def conv(call: Call) -> Array:
    """x [N, C, *D], weight [C_out, C/groups, *K] -> [N, C_out, *D_out]."""
    x, weight, groups = call.tensor("x"), call.tensor("weight"), call.integer("groups")
    windows = read_windows(call, x.shape[2:], weight.shape[2:])
    bias = call.optional("bias")
    if call.is_constant("weight") and (bias is None or call.is_constant("bias")):
        result = convolve_constant(call.operation, x, weight, windows, groups, bias)
        if result is not None:
            return result
    result = _convolve(_padded(x, windows), weight, windows, groups)
    if bias is not None:
        result += bias.reshape(-1, *[1] * len(windows))
    return result


@kernel("conv_quantized")
def conv_quantized(call: Call) -> Array:
    """conv whose uint8 weights stand for weight * scale + bias."""
    x, groups = call.tensor("x"), call.integer("groups")
    scale, shift = call.tensor("quant_scale"), call.tensor("quant_bias")
    if call.text("quantization_type") != "linear":
        raise UnsupportedError(f"quantization_type {call.text('quantization_type')} is not evaluated")
    weight = call.stored("weight").astype(np.float32)
    outer = (-1, *[1] * (weight.ndim - 1))
    weight = weight * scale.reshape(outer) + shift.reshape(outer)
    windows = read_windows(call, x.shape[2:], weight.shape[2:])
    result = _convolve(_padded(x, windows), weight, windows, groups)
    return result if not call.has("bias") else result + call.tensor("bias").reshape(-1, *[1] * len(windows))


@kernel("conv_transpose")
def conv_transpose(call: Call) -> Array:
    """x [N, C, *D], weight [C, C_out/groups, *K] -> [N, C_out, *D_out]: every input pixel adds its kernel."""
    x, weight, groups = call.tensor("x"), call.tensor("weight"), call.integer("groups")
    strides, dilations = call.integers("strides"), call.integers("dilations")
    spread = _spread(x, weight, strides, dilations, groups)
    result = _cut(call, spread, x.shape[2:])
    bias = call.optional("bias")
    if bias is not None:
        result = result + bias.reshape(-1, *[1] * (x.ndim - 2))
    return result


def _padded(x: Array, windows: Sequence[Window]) -> Array:
    if not any(window.before or window.after for window in windows):
        return x
    return np.pad(x, [(0, 0), (0, 0)] + [(window.before, window.after) for window in windows])


def _convolve(x: Array, weight: Array, windows: Sequence[Window], groups: int) -> Array:
    if groups > 1 and weight.shape[1] == 1:
        return _depthwise(x, weight, windows, groups)
    if all(window.kernel == 1 for window in windows):
        x = x[_ALL + tuple(slice(0, None, window.stride) for window in windows)]
        return _grouped_product(weight, x, groups, tuple(window.positions for window in windows))
    return _gathered(x, weight, windows, groups)


def _grouped_product(weight: Array, columns: Array, groups: int, out: tuple[int, ...]) -> Array:
    """weight [C_out, C/groups, *K] times columns [N, C, *K, *out] -> [N, C_out, *out]."""
    batch = columns.shape[0]
    per_group = int(np.prod(weight.shape[1:]))
    matrix = weight.reshape(groups, weight.shape[0] // groups, per_group)
    products = matrix @ columns.reshape(batch, groups, per_group, -1)
    return products.reshape(batch, weight.shape[0], *out)


def _gathered(x: Array, weight: Array, windows: Sequence[Window], groups: int) -> Array:
    """One matrix product over gathered windows, some rows of the output at a time."""
    view = _window_view(x, windows)
    out = tuple(window.positions for window in windows)
    result = np.empty((x.shape[0], weight.shape[0], *out), x.dtype)
    row_bytes = x.shape[0] * x.shape[1] * int(np.prod(weight.shape[2:])) * int(np.prod(out[1:])) * x.itemsize
    step = max(1, _COLUMN_BYTES // max(1, row_bytes))
    first = view.ndim - len(out)
    for start in range(0, out[0], step):
        rows = slice(start, min(start + step, out[0]))
        columns = view[(slice(None),) * first + (rows,)]
        shape = (rows.stop - rows.start, *out[1:])
        result[:, :, rows] = _grouped_product(weight, columns, groups, shape)
    return result


def _window_view(x: Array, windows: Sequence[Window]) -> Array:
    """A view [N, C, *K, *out] of the padded x, nothing copied."""
    batch, channel, *steps = x.strides
    shape = (
        *x.shape[:2],
        *(window.kernel for window in windows),
        *(window.positions for window in windows),
    )
    strides = (
        batch,
        channel,
        *(step * window.dilation for step, window in zip(steps, windows, strict=True)),
        *(step * window.stride for step, window in zip(steps, windows, strict=True)),
    )
    return np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)


def _depthwise(x: Array, weight: Array, windows: Sequence[Window], groups: int) -> Array:
    """Each channel has its own kernels: shifted images times one weight each, added up."""
    multiplier = weight.shape[0] // groups
    out = tuple(window.positions for window in windows)
    result = np.zeros((x.shape[0], groups, multiplier, *out), x.dtype)
    taps = weight.reshape(groups, multiplier, *weight.shape[2:])
    step = max(1, _BLOCK_BYTES // max(1, int(np.prod(out)) * multiplier * x.itemsize))
    for image, start in product(range(x.shape[0]), range(0, groups, step)):
        channels = slice(start, start + step)
        _add_taps(result[image, channels], x[image, channels, None], taps[channels], windows)
    return result.reshape(x.shape[0], weight.shape[0], *out)


def _add_taps(result: Array, x: Array, taps: Array, windows: Sequence[Window]) -> None:
    """Add to result [C, M, *out] the images x [C, 1, *D] shifted by each tap of taps [C, M, *K]."""
    scaled = np.empty_like(result)
    ones = (1,) * len(windows)
    for tap in np.ndindex(*taps.shape[2:]):
        shifted = x[_ALL + tuple(map(_tap_slice, windows, tap))]
        np.multiply(shifted, taps[_ALL + tap].reshape(*taps.shape[:2], *ones), out=scaled)
        result += scaled


def _tap_slice(window: Window, tap: int) -> slice:
    start = tap * window.dilation
    return slice(start, start + (window.positions - 1) * window.stride + 1, window.stride)


def _spread(x: Array, weight: Array, strides: Sequence[int], dilations: Sequence[int], groups: int) -> Array:
    """Every input pixel times the kernel, added up where kernels overlap; nothing cut off."""
    batch, channels, *lengths = x.shape
    kernel_shape = weight.shape[2:]
    out_channels = weight.shape[1] * groups
    matrix = weight.reshape(groups, channels // groups, -1).swapaxes(1, 2)
    columns = (matrix @ x.reshape(batch, groups, channels // groups, -1)).reshape(
        batch, out_channels, *kernel_shape, *lengths
    )
    full = [
        (length - 1) * stride + (taps - 1) * dilation + 1
        for length, stride, taps, dilation in zip(lengths, strides, kernel_shape, dilations, strict=True)
    ]
    result = np.zeros((batch, out_channels, *full), x.dtype)
    for tap in np.ndindex(*kernel_shape):
        region = tuple(
            slice(index * dilation, index * dilation + (length - 1) * stride + 1, stride)
            for index, dilation, length, stride in zip(tap, dilations, lengths, strides, strict=True)
        )
        result[_ALL + region] += columns[_ALL + tap]
    return result


def _cut(call: Call, spread: Array, lengths: Sequence[int]) -> Array:
    """Cut (or extend with zeros) the full result to the output's shape."""
    pad_type, pads, strides = call.text("pad_type"), call.integers("pad"), call.integers("strides")
    rank = len(lengths)
    if call.has("output_shape"):
        wanted = list(call.integers("output_shape")[-rank:])
    elif pad_type == "same":
        wanted = [length * stride for length, stride in zip(lengths, strides, strict=True)]
    elif pad_type == "custom":
        wanted = [spread.shape[2 + axis] - pads[2 * axis] - pads[2 * axis + 1] for axis in range(rank)]
    else:
        wanted = list(spread.shape[2:])
    for axis, length in enumerate(wanted):
        full = spread.shape[2 + axis]
        before = max(0, full - length) // 2 if pad_type == "same" else 0
        if pad_type == "custom":
            before = pads[2 * axis]
        missing = before + length - full
        if missing > 0:
            widths = [(0, 0)] * spread.ndim
            widths[2 + axis] = (0, missing)
            spread = np.pad(spread, widths)
        spread = spread[(slice(None),) * (2 + axis) + (slice(before, before + length),)]
    return spread
