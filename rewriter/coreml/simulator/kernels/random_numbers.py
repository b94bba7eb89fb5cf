"""Random numbers: the right distribution from numpy's generator, never Core ML's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rewriter.coreml.simulator.call import Array, Call
from rewriter.coreml.simulator.registry import kernel

__all__: list[str] = []


def _suspect(_: Any) -> str:
    return "random numbers are numpy's, not Core ML's; only their distribution is right"


@kernel("random_bernoulli", suspicion=_suspect)
def random_bernoulli(call: Call) -> Array:
    return _generator(call).random(call.integers("shape")) < call.number("prob")


@kernel("random_normal", suspicion=_suspect)
def random_normal(call: Call) -> Array:
    return _generator(call).normal(call.number("mean"), call.number("stddev"), call.integers("shape"))


@kernel("random_uniform", suspicion=_suspect)
def random_uniform(call: Call) -> Array:
    low, high = call.number("low"), call.number("high")
    return low + (high - low) * _generator(call).random(call.integers("shape"))


@kernel("random_categorical", suspicion=_suspect)
def random_categorical(call: Call) -> Array:
    """Indices drawn by the probabilities (or their logarithms) along the last axis."""
    x = call.tensor("x").astype(np.float64)
    if call.text("mode") == "logits":
        x = np.exp(x - x.max(axis=-1, keepdims=True))
    bounds = np.cumsum(x / x.sum(axis=-1, keepdims=True), axis=-1)
    draws = _generator(call).random((*x.shape[:-1], call.integer("size")))
    return np.minimum((draws[..., None] >= bounds[..., None, :]).sum(axis=-1), x.shape[-1] - 1)


def _generator(call: Call) -> np.random.Generator:
    # A run has to be repeatable, so "no seed" (-1) is a fixed one too.
    return np.random.default_rng(max(0, call.integer("seed")))
