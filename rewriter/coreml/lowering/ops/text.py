"""TfIdfVectorizer on numbers: every n-gram of the pool is compared with every place."""

from __future__ import annotations

import numpy as np
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Var

from rewriter.coreml.lowering.mil import chain, reshape
from rewriter.coreml.lowering.node import Node
from rewriter.coreml.lowering.registry import lowering

__all__: list[str] = []


@lowering("TfIdfVectorizer")
def count_grams(node: Node) -> Var:
    if node.attr("pool_strings"):
        raise node.refuse("a pool of strings, Core ML has none")
    shape = node.shape(0)
    batch, length = (1, *shape)[-2:] if len(shape) == 1 else shape
    columns = [int(column) for column in node.attributes["ngram_indexes"]]
    size = max(columns) + 1
    x = reshape(node.var(0), (batch, length))
    totals = []
    for grams, places in _pools(node, columns):
        n = grams.shape[1]
        # Single items are counted once, whatever may be skipped between the items of longer ones.
        for distance in range(1, 2 if n == 1 else int(node.attributes["max_skip_count"]) + 2):
            starts = np.arange(length - distance * (n - 1))
            if starts.size:
                totals.append(
                    _counts(x, batch, starts[:, None] + distance * np.arange(n), grams, places, size)
                )
    if not totals:
        raise node.refuse("no n-gram fits the input")
    counts = _weighted(node, chain(mb.add, totals))
    return reshape(counts, (size,)) if len(shape) == 1 else counts


def _pools(node: Node, columns: list[int]) -> list[tuple[np.ndarray, list[int]]]:
    """The n-grams of each length that counts, shape [number, n], and the output columns of each."""
    pool = [int(item) for item in node.attributes["pool_int64s"]]
    starts = [int(start) for start in node.attributes["ngram_counts"]]
    low, high = int(node.attributes["min_gram_length"]), int(node.attributes["max_gram_length"])
    found, first = [], 0
    for index, start in enumerate(starts):
        n = index + 1
        stop = starts[index + 1] if index + 1 < len(starts) else len(pool)
        grams = np.array(pool[start : start + (stop - start) // n * n], dtype=np.int32).reshape(-1, n)
        if len({tuple(gram) for gram in grams.tolist()}) != len(grams):
            raise node.refuse("an n-gram that is in the pool twice")
        if low <= n <= high and len(grams):
            found.append((grams, columns[first : first + len(grams)]))
        first += len(grams)
    return found


def _counts(x: Var, batch: int, places: np.ndarray, grams: np.ndarray, columns: list[int], size: int) -> Var:
    """How often each n-gram occurs at these places, by output column: [batch, size]."""
    count, n = places.shape
    windows = mb.gather(x=x, indices=places.reshape(-1).astype(np.int32), axis=1)
    windows = reshape(windows, (batch, count, 1, n))
    same = mb.cast(x=mb.equal(x=windows, y=grams[None, None]), dtype="fp32")
    hits = mb.reduce_sum(x=mb.reduce_min(x=same, axes=[3], keep_dims=False), axes=[1], keep_dims=False)
    where = np.zeros((len(grams), size), np.float32)
    where[np.arange(len(grams)), columns] = 1
    return mb.matmul(x=hits, y=where)


def _weighted(node: Node, counts: Var) -> Var:
    mode, weights = node.attributes["mode"], node.attr("weights")
    if mode == "IDF":
        counts = mb.cast(x=mb.greater(x=counts, y=np.float32(0)), dtype="fp32")
    if mode == "TF" or not weights:
        return counts
    return mb.mul(x=counts, y=np.array(weights, np.float32)[None])
