"""How to express any `TensorResize` in Core ML's words (`rewriter.resampling.coreml_words`).

What is not documented (the nearest rule of `resize_nearest_neighbor` and of fractional `upsample_nearest_neighbor`)
is never relied on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rewriter.errors import UsageError
from rewriter.resampling.axis import AxisResize
from rewriter.resampling.axis_map import AxisMap
from rewriter.resampling.coreml_words import resize_bilinear, upsample_bilinear, upsample_nearest_neighbor
from rewriter.resampling.proof import compare
from rewriter.resampling.tensor import TensorResize

__all__ = [
    "Expression",
    "NETWORK_TARGETS",
    "TARGETS",
    "express",
    "resize_bilinear",
    "upsample_bilinear",
    "upsample_nearest_neighbor",
]

TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18")
NETWORK_TARGETS = ("iOS13", "iOS14")
"""Targets that only load the neuralnetwork format, which lacks some grids."""


@dataclass(frozen=True)
class Expression:
    """How a resize is written in MIL.

    Attributes:
        kind: ``identity``, ``native`` (one MIL resize op), ``gather`` (pixels copied per axis) or ``matmul``
            (constant matrices per axis).
        op: the MIL op of a native expression.
        parameters: its constant arguments, apart from the input.
        axes: tensor axes that are resized.
        certificate: proof that the expression equals the resize.
        reason: why this kind, in one clause.
    """

    kind: str
    op: str | None
    parameters: dict[str, Any]
    axes: tuple[int, ...]
    certificate: dict[str, Any] = field(default_factory=dict)
    reason: str = ""


def express(resize: TensorResize, target: str = "iOS17") -> Expression:
    """Choose the MIL form of `resize`: native where the matrices are equal, else an exact decomposition.

    Args:
        resize: what has to be computed.
        target: minimum deployment target, a member of `TARGETS` or `NETWORK_TARGETS`.

    Raises:
        UsageError: unknown target.
    """
    if target not in (*TARGETS, *NETWORK_TARGETS):
        raise UsageError(f"unknown Core ML target '{target}'", remedy=f"use one of {', '.join(TARGETS)}")
    axes = resize.resized_axes
    if not axes:
        return Expression(
            "identity", None, {}, (), _certificate(resize, "identity"), "every output is its input"
        )
    native = _native(resize, target)
    if native is not None:
        return native
    if not resize.extrapolates and all(resize.axes[axis].selection is not None for axis in axes):
        return Expression(
            "gather",
            "gather",
            {},
            axes,
            _certificate(resize, "the resize's own selection of pixels"),
            f"no documented Core ML resize op samples {resize.describe()}; every output copies one input pixel",
        )
    return Expression(
        "matmul",
        "matmul",
        {},
        axes,
        _certificate(resize, "the resize's own matrix"),
        f"no documented Core ML resize op samples {resize.describe()} at these sizes",
    )


def _native(resize: TensorResize, target: str) -> Expression | None:
    """The native op whose matrices equal those of `resize` on the last two axes, if there is one."""
    rank = len(resize.axes)
    spatial = (rank - 2, rank - 1)
    if rank not in (3, 4) or resize.extrapolates or not set(resize.resized_axes) <= set(spatial):
        return None
    pair = tuple(resize.axes[axis] for axis in spatial)
    factors = [axis.n_out // axis.n_in for axis in pair]
    if all(axis.n_out == axis.n_in * factor for axis, factor in zip(pair, factors, strict=True)):
        candidates = [upsample_nearest_neighbor(axis.n_in, f) for axis, f in zip(pair, factors, strict=True)]
        if _equal(pair, candidates):
            return Expression(
                "native",
                "upsample_nearest_neighbor",
                {"scale_factor_height": factors[0], "scale_factor_width": factors[1]},
                resize.resized_axes,
                _certificate(resize, "upsample_nearest_neighbor, integer factors"),
                "every pixel is repeated a whole number of times",
            )
        if target == "iOS14" and _equal(
            pair, [upsample_bilinear(axis.n_in, f, False) for axis, f in zip(pair, factors, strict=True)]
        ):
            return Expression(
                "native",
                "upsample_bilinear",
                {
                    "scale_factor_height": factors[0],
                    "scale_factor_width": factors[1],
                    "align_corners": False,
                },
                resize.resized_axes,
                _certificate(resize, "upsample_bilinear without align_corners, integer factors"),
                "the matrices of upsample_bilinear at half-pixel centres are equal",
            )
    for sampling_mode in (
        "STRICT_ALIGN_CORNERS",
        "DEFAULT",
        "UNALIGN_CORNERS",
        "ALIGN_CORNERS",
        "OFFSET_CORNERS",
    ):
        if sampling_mode == "UNALIGN_CORNERS" and target in NETWORK_TARGETS:
            continue
        candidates = [resize_bilinear(axis.n_in, axis.n_out, sampling_mode) for axis in pair]
        if _equal(pair, candidates):
            return Expression(
                "native",
                "resize_bilinear",
                {
                    "target_size_height": pair[0].n_out,
                    "target_size_width": pair[1].n_out,
                    "sampling_mode": sampling_mode,
                },
                resize.resized_axes,
                _certificate(resize, f"resize_bilinear {sampling_mode}"),
                f"the matrices of resize_bilinear {sampling_mode} are equal",
            )
    return None


def _equal(pair: tuple[AxisMap, ...], candidates: list[AxisResize]) -> bool:
    return all(compare(axis, candidate).equal for axis, candidate in zip(pair, candidates, strict=True))


def _certificate(resize: TensorResize, expressed_as: str) -> dict[str, Any]:
    return {
        "equal": True,
        "arithmetic": "exact rational",
        "semantics": resize.describe(),
        "expressed_as": expressed_as,
        "sizes": [[axis.n_in, axis.n_out] for axis in resize.axes],
    }
