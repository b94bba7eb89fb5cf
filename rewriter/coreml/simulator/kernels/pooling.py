"""Average, maximum and L2 pooling; windows are reduced one axis after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.kernels.windows import Window, read_windows
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


@kernel("max_pool")
def max_pool(call: Call) -> Array:
    """Largest value of each window; padding never wins."""
    x = call.tensor("x")
    return _reduce(x, _windows(call, x), np.maximum, -np.inf)


@kernel("avg_pool")
def avg_pool(call: Call) -> Array:
    """Mean of each window; padding counts as zeros unless it is excluded, what ceil mode adds never counts."""
    x = call.tensor("x")
    windows = _windows(call, x)
    exclude = call.flag("exclude_padding_from_average")
    result = _reduce(x, windows, np.add, 0.0)
    for axis, window in enumerate(windows):
        counts = _counts(window, exclude_padding=exclude)
        result /= counts.astype(x.dtype).reshape(-1, *[1] * (len(windows) - 1 - axis))
    return result


@kernel("l2_pool")
def l2_pool(call: Call) -> Array:
    """Square root of the sum of squares of each window."""
    x = call.tensor("x")
    return np.sqrt(_reduce(np.square(x), _windows(call, x), np.add, 0.0))


def _windows(call: Call, x: Array) -> list[Window]:
    return read_windows(call, x.shape[2:], call.integers("kernel_sizes"))


def _reduce(x: Array, windows: Sequence[Window], combine: np.ufunc, neutral: float) -> Array:
    for axis, window in enumerate(windows, start=2):
        x = _reduce_axis(x, axis, window, combine, neutral)
    return x


def _reduce_axis(x: Array, axis: int, window: Window, combine: np.ufunc, neutral: float) -> Array:
    after = window.after + window.overhang
    if window.before or after:
        widths = [(0, 0)] * x.ndim
        widths[axis] = (window.before, after)
        x = np.pad(x, widths, constant_values=neutral)
    x = np.moveaxis(x, axis, 0)
    if window.positions == 1:
        return np.moveaxis(combine.reduce(x[: window.kernel], axis=0, keepdims=True), 0, axis)
    result: Array | None = None
    for tap in range(window.kernel):
        taken = slice(tap, tap + (window.positions - 1) * window.stride + 1, window.stride)
        part = x[taken]
        result = part.copy() if result is None else combine(result, part, out=result)
    assert result is not None
    return np.moveaxis(result, 0, axis)


def _counts(window: Window, *, exclude_padding: bool) -> Array:
    """How many elements each window's mean is over, along one axis."""
    starts = np.arange(window.positions) * window.stride - window.before
    low, high = (0, window.length) if exclude_padding else (-window.before, window.length + window.after)
    return np.minimum(starts + window.kernel, high) - np.maximum(starts, low)
