"""Sliding windows of convolution and pooling: padding rules and output lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rewriter.coreml.simulator.call import Call
from rewriter.errors import UnsupportedError

__all__ = ["Window", "read_windows"]


@dataclass(frozen=True)
class Window:
    """How a window slides along one axis.

    Attributes:
        length: input length of the axis.
        kernel: taps of the window.
        stride: step between windows.
        dilation: step between taps.
        before: padding in front.
        after: padding behind.
        positions: number of windows, which is the output length.
    """

    length: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    positions: int

    @property
    def overhang(self) -> int:
        """How far the last window reaches beyond the padded axis; only with ceil mode."""
        reach = (self.positions - 1) * self.stride + (self.kernel - 1) * self.dilation + 1
        return max(0, reach - self.before - self.length - self.after)


def read_windows(call: Call, lengths: Sequence[int], kernel: Sequence[int]) -> list[Window]:
    """The window of each spatial axis of a convolution or pooling operator."""
    rank = len(lengths)
    pad_type = call.text("pad_type").lower()
    strides = call.integers("strides")
    dilations = call.integers("dilations") if call.has("dilations") else (1,) * rank
    pads = call.integers("pad") if pad_type == "custom" else (0,) * (2 * rank)
    ceil_mode = call.has("ceil_mode") and call.flag("ceil_mode")
    windows = []
    for axis in range(rank):
        length, taps, stride, dilation = lengths[axis], kernel[axis], strides[axis], dilations[axis]
        span = (taps - 1) * dilation + 1
        if pad_type in ("same", "same_lower"):
            before, after = _same_padding(length, span, stride, lower=pad_type == "same_lower")
        elif pad_type in ("valid", "custom"):
            before, after = pads[2 * axis], pads[2 * axis + 1]
        else:
            raise UnsupportedError(f"pad_type {pad_type} is not known")
        positions = _positions(length, span, stride, before, after, ceil_mode)
        windows.append(Window(length, taps, stride, dilation, before, after, positions))
    return windows


def _same_padding(length: int, span: int, stride: int, *, lower: bool) -> tuple[int, int]:
    """TensorFlow's SAME: ceil(length / stride) windows; an odd remainder goes behind, or in front if `lower`."""
    total = max(0, (-(-length // stride) - 1) * stride + span - length)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def _positions(length: int, span: int, stride: int, before: int, after: int, ceil_mode: bool) -> int:
    padded = length + before + after
    if not ceil_mode:
        return (padded - span) // stride + 1
    positions = (padded - span + stride - 1) // stride + 1
    # A window that would start in the padding behind is dropped.
    if before + after > 0 and (positions - 1) * stride >= length + before:
        positions -= 1
    return positions
