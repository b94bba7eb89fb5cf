"""Choices whose effects add up to the difference from the reference: a beam search on the effects' inner products."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rewriter.verification.refit.surrogate import Choice

__all__ = ["additive_choices"]

_BEAM = 1500
_RETURNED = 300
_RIDGE = 1e-9
_NOTHING = 1e-16


def additive_choices(
    base: Choice, difference: np.ndarray, effects: Mapping[tuple[int, int], np.ndarray]
) -> list[Choice]:
    """The choices for which the difference plus the sum of their effects is smallest, the best first.

    Args:
        base: where the effects were measured.
        difference: output minus reference at the base [positions].
        effects: (resize, option) → change of the output by that option alone [positions].
    """
    keys = [key for key, effect in effects.items() if effect @ effect > _NOTHING]
    if not keys:
        return []
    images = np.stack([effects[key] for key in keys])
    gram, towards = images @ images.T, -(images @ difference)
    of_resize: dict[int, list[int]] = {}
    for column, (resize, _) in enumerate(keys):
        of_resize.setdefault(resize, []).append(column)
    # Resizes of large effect first: what is cut off early could not have been made good later.
    order = sorted(of_resize, key=lambda resize: -max(gram[c, c] for c in of_resize[resize]))
    states = np.zeros((1, len(keys)), bool)
    for step, resize in enumerate(order):
        extended = [states]
        for column in of_resize[resize]:
            taken = states.copy()
            taken[:, column] = True
            extended.append(taken)
        states = np.concatenate(extended)
        if len(states) > _BEAM:
            rest = [column for later in order[step + 1 :] for column in of_resize[later]]
            cost = _cost(states, gram, towards, rest)
            states = states[np.argpartition(cost, _BEAM)[:_BEAM]]
    best = np.argsort(_cost(states, gram, towards, []), kind="stable")[:_RETURNED]
    return [_choice(base, states[row], keys) for row in best]


def _cost(states: np.ndarray, gram: np.ndarray, towards: np.ndarray, rest: list[int]) -> np.ndarray:
    """Squared distance to the reference up to a constant, when the effects in `rest` may be taken in any amount."""
    taken = states.astype(np.float64)
    cost = np.einsum("ij,ij->i", taken @ gram, taken) - 2 * taken @ towards
    if rest:
        open_gradient = towards[rest] - taken @ gram[:, rest]
        system = gram[np.ix_(rest, rest)] + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(rest))
        cost -= np.einsum("ij,ij->i", open_gradient, np.linalg.solve(system, open_gradient.T).T)
    return cost


def _choice(base: Choice, state: np.ndarray, keys: list[tuple[int, int]]) -> Choice:
    changed = dict(keys[column] for column in np.flatnonzero(state))
    return tuple(changed.get(resize, option) for resize, option in enumerate(base))
