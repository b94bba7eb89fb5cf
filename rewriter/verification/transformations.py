"""Differences that are no matter of resizing: layout, channel order, scale, preprocessing. Told by trying each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from rewriter.errors import RewriterError
from rewriter.verification.evidence import Comparison
from rewriter.verification.metrics import compare_outputs, distance
from rewriter.verification.result import Finding
from rewriter.verification.runners import Arrays

__all__ = ["transformation_findings"]

Change = Callable[[np.ndarray], np.ndarray]

_SCALINGS: tuple[tuple[str, Change], ...] = (
    ("multiplied by 255", lambda x: x * 255),
    ("divided by 255", lambda x: x / 255),
    ("mapped from [0, 1] to [-1, 1]", lambda x: 2 * x - 1),
    ("mapped from [-1, 1] to [0, 1]", lambda x: (x + 1) / 2),
    ("mapped from [0, 255] to [-1, 1]", lambda x: x / 127.5 - 1),
)


def transformation_findings(comparison: Comparison) -> list[Finding]:
    """The first change of outputs, else of inputs, that makes the candidate equal the reference."""
    return _output_findings(comparison) or _input_findings(comparison)


def _output_findings(comparison: Comparison) -> list[Finding]:
    evidence, name = comparison.evidence, comparison.candidate.name
    for output in evidence[0].got:
        for words, change in _rearrangements(evidence[0].expected[output].shape):
            if all(
                _passes(e.expected[output], change(e.got[output]), comparison.tolerance) for e in evidence
            ):
                message = f"{name}: output '{output}' equals the reference's after {words}"
                return [Finding(message, candidate=name)]
        fit = _affine(comparison, output)
        if fit is not None:
            message = (
                f"{name}: output '{output}' is the reference's times {fit[0]:.4g} plus {fit[1]:.4g}: "
                "a scale or bias is missing or applied twice"
            )
            return [Finding(message, candidate=name)]
    return []


def _input_findings(comparison: Comparison) -> list[Finding]:
    """Whether preprocessing is missing or done twice: the candidate is run again on changed inputs."""
    case = comparison.worst_first()[0]
    evidence = comparison.by_case[case]
    for link in comparison.inputs:
        original = evidence.inputs[link.candidate]
        if original.dtype.kind != "f":
            continue
        last = original.shape[-1] if original.ndim == 4 else 0
        reversed_channels: list[tuple[str, Change]] = (
            [("reversed in its channels (RGB against BGR)", lambda x: x[..., ::-1])] if last == 3 else []
        )
        if original.ndim == 4 and original.shape[1] == 3:
            reversed_channels.append(("reversed in its channels (RGB against BGR)", lambda x: x[:, ::-1]))
        for words, change in (*_SCALINGS, *reversed_channels):
            changed: Arrays = {**evidence.inputs, link.candidate: change(original).astype(original.dtype)}
            try:
                got = comparison.in_reference_terms(comparison.candidate.run(changed))
            except RewriterError:
                return []  # a candidate that only plays back knows no other inputs
            if distance({key: evidence.expected[key] for key in got}, got).largest <= comparison.tolerance:
                message = (
                    f"{comparison.candidate.name} equals the reference when input '{link.candidate}' is {words}: "
                    "preprocessing is missing or done twice"
                )
                return [Finding(message, candidate=comparison.candidate.name)]
    return []


def _rearrangements(shape: tuple[int, ...]) -> Iterator[tuple[str, Change]]:
    if len(shape) != 4:
        return
    if 1 < shape[3] <= 4:
        for order in itertools.permutations(range(shape[3])):
            if order != tuple(range(shape[3])):
                yield f"reordering its channels to {list(order)}", _reordering(order)
    if shape[1] == shape[2]:
        yield "swapping its height and width", lambda x: x.swapaxes(1, 2)
    yield "flipping it vertically", lambda x: x[:, ::-1]
    yield "flipping it horizontally", lambda x: x[:, :, ::-1]


def _reordering(order: tuple[int, ...]) -> Change:
    return lambda x: x[..., list(order)]


def _passes(expected: np.ndarray, got: np.ndarray, tolerance: float) -> bool:
    return expected.shape == got.shape and compare_outputs("", expected, got, tolerance=tolerance).passed


def _affine(comparison: Comparison, output: str) -> tuple[float, float] | None:
    """(factor, offset) that maps the reference to the candidate in every case, None when none does."""
    evidence = comparison.evidence
    expected = np.concatenate([e.expected[output].astype(np.float64).ravel() for e in evidence])
    got = np.concatenate([e.got[output].astype(np.float64).ravel() for e in evidence])
    if expected.shape != got.shape or not (np.isfinite(expected).all() and np.isfinite(got).all()):
        return None
    if np.ptp(expected) == 0 or np.ptp(got) == 0:
        return None
    factor, offset = np.polyfit(expected, got, 1)
    if factor == 0:
        return None
    fits = _passes(expected, (got - offset) / factor, comparison.tolerance)
    return (float(factor), float(offset)) if fits else None
