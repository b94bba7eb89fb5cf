"""Convolutions of one, two and three spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import reshape
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.ops.padding import crop_or_pad
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.windows import Window

__all__: list[str] = []


@lowering("Conv")
def convolve(node: Node) -> Var:
    x, shape = node.var(0), node.shape(0)
    spatial = _spatial_lengths(node)
    window = Window.of(node, spatial, node.shape(1)[2:])
    if min(*window.begins, *window.ends, 0) < 0:
        x, window = _apply_negative_pads(x, window)
    x, window = _absorb_padding(x, window)
    bias = node.constant(2)
    result = mb.conv(
        x=x,
        weight=node.var(1),
        pad_type="custom",
        pad=window.mil_pads,
        strides=list(window.strides),
        dilations=list(window.dilations),
        groups=int(node.attr("group", 1)),
        **_bias(bias),
    )
    return result if bias is not None or not node.has(2) else _add_bias(result, node.var(2), len(shape))


@lowering("ConvTranspose")
def convolve_transposed(node: Node) -> Var:
    weight = node.need_constant(1, "the kernel").astype(np.float32)
    spatial = _spatial_lengths(node)
    begins, ends, window = _transposed_crops(node, spatial, weight.shape[2:])
    bias = node.constant(2)
    result = mb.conv_transpose(
        x=node.var(0),
        weight=weight,
        pad_type="custom",
        pad=[max(value, 0) for pair in zip(begins, ends, strict=True) for value in pair],
        strides=list(window.strides),
        dilations=list(window.dilations),
        groups=int(node.attr("group", 1)),
        **({} if min(*begins, *ends, 0) < 0 else _bias(bias)),
    )
    if min(*begins, *ends, 0) < 0:
        # The output reaches beyond what the kernel touches: zeros there, and then the bias.
        grown = [(max(-begin, 0), max(-end, 0)) for begin, end in zip(begins, ends, strict=True)]
        result = crop_or_pad(result, [(0, 0), (0, 0), *grown])
    elif bias is not None or not node.has(2):
        return result
    return _add_bias(result, node.var(2), node.rank(0)) if node.has(2) else result


def _transposed_crops(
    node: Node, spatial: Sequence[int], kernel: Sequence[int]
) -> tuple[list[int], list[int], Window]:
    """What is cut off the full result before and after, per axis; negative where zeros are appended.

    The full length is stride (n - 1) + extent; ONNX's output_padding lengthens the end, output_shape fixes the
    total, whose odd pixel goes to the end for SAME_UPPER and to the beginning otherwise.
    """
    count = len(spatial)
    window = Window.of(node, spatial, kernel)
    extra = list(node.attr("output_padding") or [0] * count)
    full = [s * (n - 1) + e for s, n, e in zip(window.strides, spatial, window.extents, strict=True)]
    auto_pad = node.attr("auto_pad", "NOTSET")
    wanted = node.attr("output_shape")
    if wanted is None and auto_pad.startswith("SAME"):
        wanted = [n * s for n, s in zip(spatial, window.strides, strict=True)]
    if wanted is None:
        return list(window.begins), [end - e for end, e in zip(window.ends, extra, strict=True)], window
    totals = [f + e - w for f, e, w in zip(full, extra, list(wanted)[-count:], strict=True)]
    small = [max(total, 0) // 2 for total in totals]
    large = [max(total, 0) - half for total, half in zip(totals, small, strict=True)]
    begins = small if auto_pad == "SAME_UPPER" else large
    lengths = list(wanted)[-count:]
    ends = [f - b - w for f, b, w in zip(full, begins, lengths, strict=True)]
    return begins, ends, window


def _spatial_lengths(node: Node) -> tuple[int, ...]:
    spatial = node.shape(0)[2:]
    if not 1 <= len(spatial) <= 3:
        raise node.refuse(f"{len(spatial)} spatial axes, Core ML convolves one to three")
    return spatial


def _apply_negative_pads(x: Var, window: Window) -> tuple[Var, Window]:
    pads = [(min(begin, 0), min(end, 0)) for begin, end in zip(window.begins, window.ends, strict=True)]
    kept = replace(
        window,
        begins=tuple(max(begin, 0) for begin in window.begins),
        ends=tuple(max(end, 0) for end in window.ends),
    )
    return crop_or_pad(x, [(0, 0), (0, 0), *pads]), kept


def _absorb_padding(x: Var, window: Window) -> tuple[Var, Window]:
    """Zeros that a pad puts around the image become the convolution's own padding; a pad nobody reads vanishes."""
    pad = x.op
    if pad is None or pad.op_type != "pad" or pad.mode.val != "constant" or pad.constant_val.val != 0:
        return x, window
    amounts = [0] * (2 * x.rank - len(pad.pad.val)) + [int(value) for value in pad.pad.val]
    if any(amounts[:4]):
        return x, window
    begins = tuple(have + more for have, more in zip(window.begins, amounts[4::2], strict=True))
    ends = tuple(have + more for have, more in zip(window.ends, amounts[5::2], strict=True))
    return pad.x, replace(window, begins=begins, ends=ends)


def _bias(bias: np.ndarray | None) -> dict[str, Any]:
    return {} if bias is None else {"bias": bias.astype(np.float32)}


def _add_bias(x: Var, bias: Var, rank: int) -> Var:
    return mb.add(x=x, y=reshape(bias, (1, int(bias.shape[0]), *[1] * (rank - 2))))
