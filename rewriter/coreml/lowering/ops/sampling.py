"""Reading images at computed places: GridSample and DeformConv, by gathering pixels and weighting them.

MIL's own `resample` is not used: how it rounds and what it does at borders is not documented well enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import chain, reshape, transpose
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering
from rewriter.coreml.lowering.values import static_shape

__all__: list[str] = []

_CUBIC = np.float32(-0.75)
_MODES = {
    "bilinear": "linear",
    "bicubic": "cubic",
    "linear": "linear",
    "cubic": "cubic",
    "nearest": "nearest",
}


@lowering("GridSample")
def grid_sample(node: Node) -> Var:
    shape, outer = node.shape(0), node.shape(1)
    batch, channels, lengths = shape[0], shape[1], shape[2:]
    places = math.prod(outer[1:-1])
    mode, padding = _MODES[node.attr("mode", "linear")], node.attr("padding_mode", "zeros")
    aligned = bool(node.attr("align_corners", 0))
    if mode == "cubic" and padding == "border" and node.reading is None:
        raise node.refuse(
            "cubic with padding_mode border: onnx's reference implementation moves places outside of the image to "
            "its border before it interpolates, onnxruntime and PyTorch do not",
            "say who is right with --reading, or use padding_mode zeros or reflection",
        )
    moved = "none" if mode == "cubic" and node.reading == "onnxruntime" and padding == "border" else padding
    grid = reshape(node.var(1), (batch, places, len(lengths)))
    coordinates = []
    for axis, length in enumerate(lengths):
        # The grid names the last axis first.
        own = _column(grid, len(lengths) - 1 - axis)
        coordinates.append(_coordinate(own, length, mode, moved, aligned))
    taps = [_taps(x, length, mode, padding, aligned) for x, length in zip(coordinates, lengths, strict=True)]
    pixels = _pixels(node.var(0))
    result = _weighted(pixels, taps, lengths, batch, places)
    return _as_image(result, batch, channels, outer[1:-1])


def _column(grid: Var, place: int) -> Var:
    """One coordinate of every place, shape [batch, places]."""
    batch, places, _ = static_shape(grid)
    return mb.slice_by_index(
        x=grid,
        begin=[0, 0, place],
        end=[batch, places, place + 1],
        squeeze_mask=[False, False, True],
    )


def _coordinate(x: Var, length: int, mode: str, padding: str, aligned: bool) -> Var:
    """From [-1, 1] to pixels; what lies outside is clamped or reflected where the padding says so."""
    if aligned:
        x = mb.mul(x=mb.mul(x=mb.add(x=x, y=np.float32(1)), y=np.float32(0.5)), y=np.float32(length - 1))
    else:
        x = mb.mul(x=mb.add(x=x, y=np.float32(1)), y=np.float32(length))
        x = mb.mul(x=mb.sub(x=x, y=np.float32(1)), y=np.float32(0.5))
    if mode == "nearest":
        x = _round_half_even(x)
    low, high = (0.0, length - 1.0) if aligned else (-0.5, length - 0.5)
    if padding == "border":
        # Only what lies outside of the border moves; between border and first pixel the taps are clamped instead.
        outside = mb.logical_or(x=mb.less(x=x, y=np.float32(low)), y=mb.greater(x=x, y=np.float32(high)))
        return mb.select(cond=outside, a=_clamp(x, 0, length - 1), b=x)
    if padding == "reflection":
        x = _reflect(x, low, high)
        # A nearest place that was reflected about a border between pixels is cut off, as integers are.
        return _toward_zero(x) if mode == "nearest" else x
    return x


def _round_half_even(x: Var) -> Var:
    below = mb.floor(x=x)
    rest = mb.sub(x=x, y=below)
    half_down = mb.mul(x=mb.floor(x=mb.mul(x=below, y=np.float32(0.5))), y=np.float32(2))
    is_odd = mb.sub(x=below, y=half_down)  # 0 or 1
    up = mb.cast(x=mb.greater(x=rest, y=np.float32(0.5)), dtype="fp32")
    tie = mb.cast(x=mb.equal(x=rest, y=np.float32(0.5)), dtype="fp32")
    return mb.add(x=below, y=mb.add(x=up, y=mb.mul(x=tie, y=is_odd)))


def _toward_zero(x: Var) -> Var:
    return mb.select(
        cond=mb.less(x=x, y=np.float32(0)),
        a=mb.mul(x=mb.floor(x=mb.mul(x=x, y=np.float32(-1))), y=np.float32(-1)),
        b=mb.floor(x=x),
    )


def _clamp(x: Var, low: float, high: float) -> Var:
    return mb.minimum(x=mb.maximum(x=x, y=np.float32(low)), y=np.float32(high))


def _reflect(x: Var, low: float, high: float) -> Var:
    """Folded back at both ends until it lies between them; what lies between stays as it is."""
    span = high - low
    if span <= 0:
        return mb.add(x=mb.mul(x=x, y=np.float32(0)), y=np.float32(low))
    distance = mb.maximum(x=mb.sub(x=np.float32(low), y=x), y=mb.sub(x=x, y=np.float32(high)))
    turns = mb.floor(x=mb.mul(x=distance, y=np.float32(1 / span)))
    rest = mb.sub(x=distance, y=mb.mul(x=turns, y=np.float32(span)))
    halves = mb.mul(x=turns, y=np.float32(0.5))
    is_odd = mb.greater(x=mb.sub(x=halves, y=mb.floor(x=halves)), y=np.float32(0.25))
    from_low, from_high = mb.add(x=rest, y=np.float32(low)), mb.sub(x=np.float32(high), y=rest)
    is_below = mb.less(x=x, y=np.float32(low))
    goes_up = mb.logical_xor(x=is_below, y=is_odd)
    folded = mb.select(cond=goes_up, a=from_low, b=from_high)
    is_inside = mb.less_equal(x=distance, y=np.float32(0))
    return mb.select(cond=is_inside, a=x, b=folded)


Taps = list[tuple[Var, Var]]
"""(index, weight) of every pixel that takes part along an axis; both of shape [batch, places]."""


def _taps(x: Var, length: int, mode: str, padding: str, aligned: bool) -> Taps:
    if mode == "nearest":
        return [_inside(x, None, length, padding, aligned)]
    first = mb.floor(x=x)
    t = mb.sub(x=x, y=first)
    offsets = (0, 1) if mode == "linear" else (-1, 0, 1, 2)
    weights = _linear_weights(t) if mode == "linear" else _cubic_weights(t)
    return [
        _inside(mb.add(x=first, y=np.float32(offset)), weight, length, padding, aligned)
        for offset, weight in zip(offsets, weights, strict=True)
    ]


def _linear_weights(t: Var) -> list[Var]:
    return [mb.sub(x=np.float32(1), y=t), t]


def _cubic_weights(t: Var) -> list[Var]:
    def far(d: Var) -> Var:
        return _polynomial(d, [_CUBIC, -5 * _CUBIC, 8 * _CUBIC, -4 * _CUBIC])

    def near(d: Var) -> Var:
        return _polynomial(d, [_CUBIC + 2, -(_CUBIC + 3), np.float32(0), np.float32(1)])

    one, two = np.float32(1), np.float32(2)
    rest = mb.sub(x=one, y=t)
    return [far(mb.add(x=t, y=one)), near(t), near(rest), far(mb.sub(x=two, y=t))]


def _polynomial(x: Var, coefficients: Sequence[np.float32]) -> Var:
    value: Var | np.float32 = np.float32(coefficients[0])
    for coefficient in coefficients[1:]:
        value = mb.add(x=mb.mul(x=x, y=value), y=np.float32(coefficient))
    return value


def _inside(place: Var, weight: Var | None, length: int, padding: str, aligned: bool) -> tuple[Var, Var]:
    """A pixel's index brought into the image; zeros around it are a weight of zero."""
    if padding == "reflection":
        low, high = (0.0, length - 1.0) if aligned else (-0.5, length - 0.5)
        place = _toward_zero(_reflect(place, low, high))
    kept = _clamp(place, 0, length - 1)
    if weight is None:
        weight = mb.add(x=mb.mul(x=place, y=np.float32(0)), y=np.float32(1))
    if padding == "zeros":
        is_there = mb.cast(x=mb.equal(x=kept, y=place), dtype="fp32")
        weight = mb.mul(x=weight, y=is_there)
    return mb.cast(x=kept, dtype="int32"), weight


def _pixels(image: Var) -> Var:
    """[batch · places, channels]."""
    shape = static_shape(image)
    flat = reshape(image, (shape[0], shape[1], math.prod(shape[2:])))
    return reshape(transpose(flat, (0, 2, 1)), (shape[0] * math.prod(shape[2:]), shape[1]))


def _weighted(pixels: Var, taps: Sequence[Taps], lengths: Sequence[int], batch: int, places: int) -> Var:
    """The sum over all combinations of taps; shape [batch · places, channels]."""
    size = math.prod(lengths)
    start = np.repeat(np.arange(batch, dtype=np.int32) * size, places).reshape(batch, places)
    terms = []
    for combination in itertools.product(*taps):
        index: Var | np.ndarray = start
        for axis, (place, _) in enumerate(combination):
            stride = np.int32(math.prod(lengths[axis + 1 :]))
            index = mb.add(x=mb.mul(x=place, y=stride), y=index)
        weight = chain(mb.mul, [weight for _, weight in combination])
        taken = mb.gather(x=pixels, indices=reshape(index, (batch * places,)), axis=0)
        terms.append(mb.mul(x=taken, y=reshape(weight, (batch * places, 1))))
    return chain(mb.add, terms)


def _as_image(pixels: Var, batch: int, channels: int, lengths: Sequence[int]) -> Var:
    rows = transpose(reshape(pixels, (batch, math.prod(lengths), channels)), (0, 2, 1))
    return reshape(rows, (batch, channels, *lengths))


@lowering("DeformConv")
def deformable_convolution(node: Node) -> Var:
    """Each tap of the kernel reads the image where its offset says, linearly, with zeros around; then a product."""
    if node.rank() != 4:
        raise node.refuse("only images of two axes")
    batch, channels, height, width = node.shape(0)
    out_channels, per_group, *kernel = node.shape(1)
    strides, dilations = node.attr("strides", [1, 1]), node.attr("dilations", [1, 1])
    pads, groups = node.attr("pads", [0, 0, 0, 0]), int(node.attr("group", 1))
    offset_groups = int(node.attr("offset_group", 1))
    out = node.shape(2)[2:]
    places, taps = math.prod(out), kernel[0] * kernel[1]
    own = channels // offset_groups
    offsets = reshape(node.var(2), (batch, offset_groups, taps * 2, places))
    masks = reshape(node.var(4), (batch, offset_groups, taps, places)) if node.has(4) else None
    columns: list[Var] = []
    for group in range(offset_groups):
        image = mb.slice_by_index(
            x=node.var(0),
            begin=[0, group * own, 0, 0],
            end=[batch, (group + 1) * own, height, width],
        )
        pixels = _pixels(image)
        for tap, (i, j) in enumerate(itertools.product(range(kernel[0]), range(kernel[1]))):
            base = (
                np.repeat(np.arange(out[0]) * strides[0] - pads[0] + i * dilations[0], out[1]),
                np.tile(np.arange(out[1]) * strides[1] - pads[1] + j * dilations[1], out[0]),
            )
            found = [
                _taps(
                    mb.add(x=_entry(offsets, group, 2 * tap + axis), y=base[axis].astype(np.float32)[None]),
                    length,
                    "linear",
                    "zeros",
                    True,
                )
                for axis, length in enumerate((height, width))
            ]
            sampled = _weighted(pixels, found, (height, width), batch, places)
            if masks is not None:
                sampled = mb.mul(x=sampled, y=reshape(_entry(masks, group, tap), (batch * places, 1)))
            columns.append(sampled)
    return _contracted(node, columns, (batch, out_channels, *out), groups, per_group, taps)


def _entry(values: Var, group: int, place: int) -> Var:
    """[batch, places] out of [batch, groups, entries, places]."""
    batch, _, _, places = static_shape(values)
    return mb.slice_by_index(
        x=values,
        begin=[0, group, place, 0],
        end=[batch, group + 1, place + 1, places],
        squeeze_mask=[False, True, True, False],
    )


def _contracted(
    node: Node, columns: list[Var], shape: tuple[int, ...], groups: int, per_group: int, taps: int
) -> Var:
    """The kernel's products with what each tap read.

    `columns` hold, for each group of offsets and each tap, [batch · places, channels of the group].
    """
    batch, out_channels, *out = shape
    offset_groups = len(columns) // taps
    by_tap = [
        mb.concat(values=[columns[group * taps + tap] for group in range(offset_groups)], axis=1)
        if offset_groups > 1
        else columns[tap]
        for tap in range(taps)
    ]
    stacked = mb.stack(values=by_tap, axis=2)  # [batch · places, channels, taps]
    rows = static_shape(stacked)[0]
    weights = reshape(node.var(1), (out_channels, per_group * taps))
    results = []
    for group in range(groups):
        part = mb.slice_by_index(
            x=stacked, begin=[0, group * per_group, 0], end=[rows, (group + 1) * per_group, taps]
        )
        size = out_channels // groups
        kernel = mb.slice_by_index(
            x=weights, begin=[group * size, 0], end=[(group + 1) * size, per_group * taps]
        )
        results.append(mb.matmul(x=reshape(part, (rows, per_group * taps)), y=kernel, transpose_y=True))
    joined = mb.concat(values=results, axis=1) if groups > 1 else results[0]
    if node.has(3):
        joined = mb.add(x=joined, y=reshape(node.var(3), (1, out_channels)))
    return _as_image(joined, batch, out_channels, out)


@lowering("Col2Im")
def columns_to_image(node: Node) -> Var:
    """Adding blocks into an image is linear: a product with a constant matrix of zeros and ones."""
    lengths = [int(n) for n in node.need_constant(1, "the image's shape").reshape(-1)]
    block = [int(n) for n in node.need_constant(2, "the block's shape").reshape(-1)]
    axes = len(lengths)
    dilations, strides = node.attr("dilations", [1] * axes), node.attr("strides", [1] * axes)
    pads = node.attr("pads", [0] * 2 * axes)
    batch, rows, count = node.shape(0)
    size = math.prod(block)
    starts = [
        range(0, lengths[a] + pads[a] + pads[axes + a] - dilations[a] * (block[a] - 1), strides[a])
        for a in range(axes)
    ]
    if size * count * math.prod(lengths) > 1 << 24:
        raise node.refuse("its matrix would have more than 16 million entries")
    matrix = np.zeros((size, count, *lengths), dtype=np.float32)
    for place, start in enumerate(itertools.product(*starts)):
        for tap, offset in enumerate(itertools.product(*map(range, block))):
            target = [s + o * d - p for s, o, d, p in zip(start, offset, dilations, pads, strict=False)]
            if all(0 <= t < n for t, n in zip(target, lengths, strict=True)):
                entry = (tap, place, *target)
                matrix[entry] = 1
    channels = rows // size
    flat = reshape(node.var(0), (batch * channels, size * count))
    image = mb.matmul(x=flat, y=matrix.reshape(size * count, math.prod(lengths)))
    return reshape(image, (batch, channels, *lengths))


@lowering("RoiAlign")
def region_align(node: Node) -> Var:
    """Regions that are constant: sampling, averaging and all are one constant matrix per region and axis."""
    regions = node.need_constant(1, "the regions").astype(np.float64)
    batches = node.need_constant(2, "the regions' images").astype(np.int64).reshape(-1)
    mode = node.attr("mode", "avg")
    default = "half_pixel" if node.opset >= 16 else "output_half_pixel"
    offset = 0.5 if node.attr("coordinate_transformation_mode", default) == "half_pixel" else 0.0
    size = (int(node.attr("output_height", 1)), int(node.attr("output_width", 1)))
    ratio, scale = int(node.attr("sampling_ratio", 0)), float(node.attr("spatial_scale", 1.0))
    if mode != "avg":
        raise node.refuse("the mode max")
    _, channels, height, width = node.shape(0)
    results = []
    for region, image in zip(regions, batches, strict=True):
        x1, y1, x2, y2 = region * scale - offset
        extent = [y2 - y1, x2 - x1] if offset else [max(y2 - y1, 1.0), max(x2 - x1, 1.0)]
        rows, columns = (
            _averaging(start, length / count, count, ratio or max(math.ceil(length / count), 1), pixels)
            for start, length, count, pixels in zip((y1, x1), extent, size, (height, width), strict=True)
        )
        one = mb.slice_by_index(
            x=node.var(0), begin=[int(image), 0, 0, 0], end=[int(image) + 1, channels, height, width]
        )
        one = mb.matmul(x=one, y=columns.T.astype(np.float32))
        one = mb.matmul(x=np.broadcast_to(rows.astype(np.float32), (1, channels, *rows.shape)), y=one)
        results.append(one)
    return mb.concat(values=results, axis=0) if len(results) > 1 else results[0]


def _averaging(start: float, step: float, count: int, samples: int, length: int) -> np.ndarray:
    """[count, length]: each row averages `samples` linear samples; those outside of [-1, length] count as 0."""
    matrix = np.zeros((count, length))
    for row in range(count):
        for sample in range(samples):
            x = start + row * step + (sample + 0.5) * step / samples
            if x < -1 or x > length:
                continue
            x = min(max(x, 0.0), length - 1.0)
            low = min(int(x), length - 1)
            high = min(low + 1, length - 1)
            matrix[row, low] += (1 - (x - low)) / samples
            matrix[row, high] += (x - low) / samples
    return matrix
