"""Which inputs are run: probes, the user's own, or those that a golden file brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rewriter.errors import RewriterError, UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.metrics import constant_over_cases
from rewriter.verification.pairing import pair
from rewriter.verification.probes import RANGES, SIDES, probe_cases, read_cases
from rewriter.verification.runners import Arrays, Runner
from rewriter.verification.runners.golden import GoldenRunner

__all__ = ["choose_cases"]

Cases = dict[str, Arrays]


def choose_cases(
    reference: Runner, candidates: Sequence[Runner], inputs: Any, seed: int
) -> tuple[Cases, Cases]:
    """The inputs to run, by case, and what the reference makes of them.

    The probes' range is [0, 1]; where the reference gives the same output for all of them, other ranges that
    networks are trained for are tried. Lengths that nobody fixes are 64, or larger where the reference needs it.

    Raises:
        UsageError: inputs given for recorded ones, or none where they are not known.
        InputError: the user's inputs do not fit, or the reference cannot run.
    """
    golden = next((r for r in (reference, *candidates) if isinstance(r, GoldenRunner)), None)
    if golden is not None:
        if inputs is not None:
            raise UsageError(f"{golden.name} brings its own inputs", remedy="leave out --inputs")
        cases = _translated(golden, reference)
        return cases, {name: reference.run(arrays) for name, arrays in cases.items()}
    specs = _pinned(reference.inputs, candidates)
    if not specs:
        specs = [spec for runner in candidates[:1] for spec in runner.inputs]
    if not specs:
        if not isinstance(inputs, Mapping):
            raise UsageError(f"the inputs of {reference.name} are not known", remedy="give inputs as arrays")
        own = {name: dict(arrays) for name, arrays in inputs.items()}
        return own, {name: reference.run(arrays) for name, arrays in own.items()}
    own = _own_cases(inputs, specs)
    expected = {name: reference.run(arrays) for name, arrays in own.items()}
    probes, found = _probes(reference, specs, seed)
    return {**own, **probes}, {**expected, **found}


def _own_cases(inputs: Any, specs: Sequence[TensorSpec]) -> Cases:
    if inputs is None:
        return {}
    if isinstance(inputs, Mapping):
        return {name: dict(arrays) for name, arrays in inputs.items()}
    return read_cases(Path(inputs), specs)


def _translated(golden: GoldenRunner, reference: Runner) -> Cases:
    """The recorded inputs under the reference's names and in its layout."""
    if reference is golden or not reference.inputs:
        return golden.cases
    links = pair(reference.inputs, golden.inputs, "input")
    return {
        case: {link.reference: link.to_reference(arrays[link.candidate]) for link in links}
        for case, arrays in golden.cases.items()
    }


def _probes(reference: Runner, specs: Sequence[TensorSpec], seed: int) -> tuple[Cases, Cases]:
    side, first = _side(reference, specs, seed)
    chosen: tuple[Cases, Cases] | None = None
    for low, high in RANGES:
        cases = probe_cases(specs, seed, side=side, low=low, high=high)
        expected = {
            name: first if (low, high) == RANGES[0] and number == 0 else reference.run(arrays)
            for number, (name, arrays) in enumerate(cases.items())
        }
        chosen = chosen or (cases, expected)
        if not _all_dead(expected):
            return cases, expected
    assert chosen is not None
    return chosen


def _side(reference: Runner, specs: Sequence[TensorSpec], seed: int) -> tuple[int, Arrays]:
    """A length for axes that nobody fixes that the reference can run at, and what the first probe gives there."""
    is_open = any(length is None for spec in specs for length in spec.shape[1:])
    sides = SIDES if is_open else SIDES[:1]
    for side in sides:
        arrays = next(iter(probe_cases(specs, seed, side=side).values()))
        try:
            return side, reference.run(arrays)
        except (RewriterError, ValueError):
            if side == sides[-1]:
                raise
    raise AssertionError("there is at least one side")


def _all_dead(expected: Cases) -> bool:
    names = next(iter(expected.values()))
    return all(
        constant_over_cases([arrays[name] for arrays in expected.values()])
        or all(_is_constant(arrays[name]) for arrays in expected.values())
        for name in names
    )


def _is_constant(array: np.ndarray) -> bool:
    return array.size == 0 or bool(np.all(array == array.ravel()[0]))


def _pinned(specs: Sequence[TensorSpec], candidates: Sequence[Runner]) -> list[TensorSpec]:
    """The reference's inputs, with lengths that it leaves open taken from candidates that fix them."""
    pinned = list(specs)
    for candidate in candidates:
        if not pinned or not candidate.inputs:
            continue
        theirs = {spec.name: spec for spec in candidate.inputs}
        for index, link in enumerate(pair(pinned, candidate.inputs, "input")):
            shape = link.shape_for_reference(theirs[link.candidate].shape)
            own = pinned[index].shape
            if len(shape) == len(own):
                merged = tuple(a if a is not None else b for a, b in zip(own, shape, strict=True))
                pinned[index] = replace(pinned[index], shape=merged)
    return pinned
