"""Which output of the reference is which of the model's: by name, then by shape, layout and likeness.

Names decide where they agree. Elsewhere several pairings may fit (two maps of one shape, a cube whose layout no shape
tells); the one with the smallest difference counts, because a wrong mode moves edges and a wrong pairing everything.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from rewriter.errors import UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification.metrics import distance
from rewriter.verification.pairing import Link, pair
from rewriter.verification.runners import Arrays

__all__ = ["pair_inputs", "pair_outputs"]

_ORDERS = {
    3: ((0, 2, 1), (2, 0, 1), (1, 2, 0)),
    4: ((0, 3, 1, 2), (0, 2, 3, 1)),
    5: ((0, 4, 1, 2, 3), (0, 2, 3, 4, 1)),
}
_MOST_PERMUTED = 5


def pair_inputs(reference: list[TensorSpec], model: list[TensorSpec]) -> list[Link]:
    """Pair inputs by name, then by shape and layout.

    Raises:
        UsageError: the inputs do not fit.
    """
    return pair(reference, model, "input")


def pair_outputs(expected: Arrays, got: Arrays) -> list[Link]:
    """Pair every output of the reference with one of the model's, which may have more.

    Args:
        expected: the reference's outputs in one case.
        got: the model's outputs in the same case.

    Raises:
        UsageError: more outputs in the reference than in the model.
    """
    if len(expected) > len(got):
        raise UsageError(
            f"the reference has {len(expected)} outputs ({', '.join(expected)}), the model {len(got)} "
            f"({', '.join(got)})"
        )
    named = {name: other for name in expected for other in got if _key(name) == _key(other)}
    if len(set(named.values())) < len(named):
        named = {name: name for name in expected if name in got}
    free = [name for name in expected if name not in named]
    rest = [name for name in got if name not in named.values()]
    chosen = {**named, **_likeliest(free, rest, expected, got)}
    return [_link(name, chosen[name], expected[name], got[chosen[name]]) for name in expected]


def _likeliest(free: list[str], rest: list[str], expected: Arrays, got: Arrays) -> dict[str, str]:
    """Outputs without a counterpart by name, paired so that the sum of their differences is smallest."""
    if not free:
        return {}
    cost = {
        (a, b): _difference(_link(a, b, expected[a], got[b]), expected[a], got[b]) for a in free for b in rest
    }
    if len(rest) > _MOST_PERMUTED:
        chosen: dict[str, str] = {}
        for a, b in sorted(cost, key=lambda key: cost[key]):
            if a not in chosen and b not in chosen.values():
                chosen[a] = b
        return chosen
    orders = itertools.permutations(rest, len(free))
    best = min(orders, key=lambda order: sum(cost[key] for key in zip(free, order, strict=True)))
    return dict(zip(free, best, strict=True))


def _link(name: str, other: str, expected: np.ndarray, got: np.ndarray) -> Link:
    fitting = [
        link
        for link in _arrangements(name, other, expected)
        if link.to_candidate(expected).shape == got.shape
    ]
    if not fitting:
        return Link(name, other)  # another shape is a finding, and shows as an infinite error
    return min(fitting, key=lambda link: _difference(link, expected, got))


def _arrangements(name: str, other: str, expected: np.ndarray) -> Iterator[Link]:
    for batch in (0, 1, -1):
        if batch < 0 and expected.shape[:1] != (1,):
            continue
        yield Link(name, other, None, batch)
        for order in _ORDERS.get(expected.ndim + batch, ()):
            yield Link(name, other, order, batch)


def _difference(link: Link, expected: np.ndarray, got: np.ndarray) -> float:
    return distance({"": link.to_candidate(expected)}, {"": got}).average


def _key(name: str) -> str:
    """Names as different formats allow them: letters and digits, without TensorFlow's ':0'."""
    return "".join(c for c in name.removesuffix(":0").lower() if c.isalnum())
