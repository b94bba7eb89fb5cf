"""From a function's answers to its matrices: one per axis, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rewriter.resampling.fingerprint.calling import NotAResizeError, Prober

__all__ = ["RecoveredAxis", "RecoveredResize", "recover"]

_WIDEST = 48
"""Axes up to this length get one impulse per pixel; longer ones combs of impulses, placed by a ramp."""


@dataclass(frozen=True, eq=False)
class RecoveredAxis:
    """One axis of a function.

    Attributes:
        axis: index of the input axis.
        output_axis: the output axis that it becomes.
        matrix: shape [n_out, n_in], float64. Rows sum to 1, or to 0 where the output takes no pixel.
    """

    axis: int
    output_axis: int
    matrix: np.ndarray

    @property
    def n_in(self) -> int:
        return int(self.matrix.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.matrix.shape[0])

    def is_identity(self, tolerance: float) -> bool:
        """Whether the axis is copied."""
        same = self.n_in == self.n_out
        return same and bool(np.abs(self.matrix - np.eye(self.n_in)).max() <= tolerance)

    @cached_property
    def positions(self) -> np.ndarray:
        """Centroid of each output pixel's weights, in input pixels; nan where it takes no pixel."""
        sums = self.matrix.sum(axis=1)
        seen = np.abs(sums) > 0.5
        centroids = np.full(self.n_out, np.nan)
        centroids[seen] = (self.matrix[seen] @ np.arange(self.n_in)) / sums[seen]
        return centroids


@dataclass(frozen=True, eq=False)
class RecoveredResize:
    """What a function computes at one input shape: gain * (product of the axes' matrices) x + offset.

    Attributes:
        input_shape, output_shape: of the tensors.
        axes: one entry per input axis.
        gain: what a constant image is multiplied by, 1 for every resize.
        offset: constant that is added, in units of the element type.
        extrapolation: the value of output pixels that take no input pixel; None where there are none.
        tolerance: error of a weight that the element types explain.
        calls: how often the function was called.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    axes: tuple[RecoveredAxis, ...]
    gain: float
    offset: float
    extrapolation: float | None
    tolerance: float
    calls: int


def recover(prober: Prober, seed: int = 0) -> RecoveredResize:
    """Recover the matrices of a function from impulses and ramps, and test them on random images.

    Every axis is probed with the other axes held constant, which is right for separable maps of constants to
    constants; random images then decide whether the function is one.

    Raises:
        NotAResizeError: the rank changes; or the function is not linear, not separable, depends on the batch.
    """
    rng = np.random.default_rng(seed)
    if len(prober.output_shape) != len(prober.shape):
        raise NotAResizeError(f"the rank changes from {len(prober.shape)} to {len(prober.output_shape)}")
    if 0 in prober.output_shape:
        raise NotAResizeError(f"the output is empty: shape {list(prober.output_shape)}")
    prober.try_batches(rng)
    try:
        return _Recovery(prober, rng).result(_WIDEST)
    except _CombsFailedError:
        return _Recovery(prober, rng).result(max(prober.shape))


class _CombsFailedError(Exception):
    """The matrices that combs gave do not explain the function; impulses decide."""


class _Recovery:
    def __init__(self, prober: Prober, rng: np.random.Generator) -> None:
        self.prober = prober
        self.rng = rng
        shape = prober.shape
        ramps = [_along(np.linspace(0, 1, n) if n > 1 else np.ones(1), k, shape) for k, n in enumerate(shape)]
        zero, one, *slopes = prober.many([np.zeros(shape), np.ones(shape), *ramps])
        self.zero = zero
        self.total = (one - zero) / prober.signalling.amplitude
        self.peak = np.unravel_index(int(np.abs(self.total).argmax()), self.total.shape)
        self.gain = float(self.total[self.peak])
        if not np.isfinite(self.total).all() or not np.isfinite(zero).all():
            raise NotAResizeError("the output of a constant image is not finite")
        if abs(self.gain) < 1e-3:
            self._test_linearity()
            raise NotAResizeError("a constant image comes out as a constant that does not depend on it")
        self.slopes = [(slope - zero) / prober.signalling.amplitude for slope in slopes]
        self.order = self._output_axes()

    def result(self, widest: int) -> RecoveredResize:
        shape = self.prober.shape
        axes = tuple(RecoveredAxis(k, self.order[k], self._matrix(k, widest)) for k in range(len(shape)))
        self._test(axes, combs=any(n > widest for n in shape))
        offset, extrapolation = self._constants(axes)
        return RecoveredResize(
            shape,
            self.prober.output_shape,
            axes,
            self.gain,
            offset,
            extrapolation,
            self.prober.weight_error,
            self.prober.calls,
        )

    def _output_axes(self) -> list[int]:
        """Which output axis each input axis becomes: the one along which its ramp varies."""
        rank = len(self.prober.shape)
        seen = np.abs(self.total) > 0.5 * abs(self.gain)
        limit = max(2e-3, 4 * self.prober.weight_error)
        varying: dict[int, int] = {}
        for k, slope in enumerate(self.slopes):
            if self.prober.shape[k] == 1:
                continue
            height = np.where(seen, slope / np.where(seen, self.total, 1.0), np.nan)
            along = [axis for axis in range(rank) if _varies(height, axis, limit)]
            if len(along) == 1 and along[0] not in varying.values():
                varying[k] = along[0]
        free = [axis for axis in range(rank) if axis not in varying.values()]
        order = []
        for k in range(rank):
            if k not in varying:
                varying[k] = k if k in free else free[0]
                free.remove(varying[k])
            order.append(varying[k])
        return order

    def _line(self, answer: np.ndarray, k: int) -> np.ndarray:
        """The answer along the output axis of input axis `k`, through the pixel of largest gain."""
        axis = self.order[k]
        return answer[tuple(slice(None) if a == axis else i for a, i in enumerate(self.peak))]

    def _matrix(self, k: int, widest: int) -> np.ndarray:
        n = self.prober.shape[k]
        if n == 1:
            return (self._line(self.total, k) / self.gain)[:, None]
        period = n if n <= widest else self._period(n, self.prober.output_shape[self.order[k]])
        combs = [
            _along((np.arange(n) % period == p).astype(float), k, self.prober.shape) for p in range(period)
        ]
        answers = self.prober.many(combs)
        unit = self.gain * self.prober.signalling.amplitude
        columns = np.stack([self._line(answer - self.zero, k) / unit for answer in answers], axis=1)
        if period == n:
            return columns
        return self._placed(columns, k, n, period)

    def _period(self, n: int, m: int) -> int:
        # Wide enough for the taps of a stretched Lanczos-5 kernel, and for a ramp read with some error.
        return min(n, max(32, int(np.ceil(14 * max(1.0, n / m)))))

    def _placed(self, columns: np.ndarray, k: int, n: int, period: int) -> np.ndarray:
        """Columns by residue → columns by pixel: the pixel of each residue that is nearest to the ramp's height."""
        sums = self._line(self.total, k)
        seen = np.abs(sums) > 0.5 * abs(self.gain)
        centre = np.where(seen, self._line(self.slopes[k], k) / np.where(seen, sums, 1.0) * (n - 1), 0.0)
        residues = np.arange(period)
        taps = residues + period * np.rint((centre[:, None] - residues) / period).astype(int)
        taps = np.where(taps < 0, taps + period, np.where(taps >= n, taps - period, taps))
        matrix = np.zeros((columns.shape[0], n))
        np.put_along_axis(matrix, taps, columns, axis=1)
        return matrix

    def _test(self, axes: tuple[RecoveredAxis, ...], combs: bool) -> None:
        shape, amplitude = self.prober.shape, self.prober.signalling.amplitude
        images = [self.prober.signalling.representable(self.rng.uniform(-1, 1, shape)) for _ in range(2)]
        limit = self._limit(axes)
        for image, answer in zip(images, self.prober.many(images), strict=True):
            response = (answer - self.zero) / amplitude
            if np.abs(response - self._predicted(axes, image)).max() <= limit:
                continue
            if combs:
                raise _CombsFailedError
            self._test_linearity()
            reaching = self._reaching(axes)
            reason = "it is linear, but not separable: axes do not act one after the other"
            if reaching:
                reason += f"; entries of axes {reaching} reach one another"
            raise NotAResizeError(reason)
        if np.issubdtype(self.prober.signalling.dtype, np.floating):
            self._test_linearity()

    def _limit(self, axes: tuple[RecoveredAxis, ...]) -> float:
        """Error of a predicted pixel: that of a weight, times the largest sum of absolute weights, with slack."""
        norm = 1.0
        for axis in axes:
            norm *= max(1.0, float(np.abs(axis.matrix).sum(axis=1).max()))
        resized = sum(axis.n_in > 1 for axis in axes)
        return 8 * self.prober.weight_error * max(1, resized) * norm * max(1.0, abs(self.gain))

    def _predicted(self, axes: tuple[RecoveredAxis, ...], image: np.ndarray) -> np.ndarray:
        result = image
        for axis in axes:
            result = np.moveaxis(np.tensordot(axis.matrix, result, axes=(1, axis.axis)), 0, axis.axis)
        return self.gain * np.transpose(result, np.argsort(self.order))

    def _test_linearity(self) -> None:
        """Raise where f(a x + b y) is not a f(x) + b f(y), up to the element type; values far outside [0, 1] too."""
        shape, amplitude = self.prober.shape, self.prober.signalling.amplitude
        floating = np.issubdtype(self.prober.signalling.dtype, np.floating)
        factor = 50.0 if floating else 1.0
        exact = self.prober.signalling.representable
        first = exact(self.rng.uniform(-1, 1, shape), 2)
        second = exact(factor * self.rng.uniform(-1, 1, shape), 2)
        x, y, mixed = self.prober.many([first, second, 0.5 * first + 0.5 * second])
        zero = self.zero
        error = np.abs((mixed - zero) - 0.5 * (x - zero) - 0.5 * (y - zero)).max() / amplitude
        size = max(1.0, float(np.abs(y - zero).max()) / amplitude, float(np.abs(x - zero).max()) / amplitude)
        if not error <= 16 * max(self.prober.weight_error, 1e-6) * size:
            raise NotAResizeError(
                "it is not linear: f(x/2 + y/2) is not f(x)/2 + f(y)/2 "
                f"(they differ by {error:.3g} on inputs of size {max(1.0, factor):g})"
            )

    def _reaching(self, axes: tuple[RecoveredAxis, ...]) -> list[int]:
        """Axes that keep their length, and whose entries reach one another."""
        shape = self.prober.shape
        found = []
        for axis in axes:
            n = axis.n_in
            if n == 1 or n != axis.n_out:
                continue
            spot = self.rng.uniform(-1, 1, shape) * _along(np.eye(n)[0], axis.axis, shape)
            answer = self.prober.single(spot) - self.zero
            others = np.delete(answer, 0, axis=axis.output_axis)
            own = np.take(answer, 0, axis=axis.output_axis)
            if np.abs(others).max() > 0.05 * max(float(np.abs(own).max()), 1e-6):
                found.append(axis.axis)
        return found

    def _constants(self, axes: tuple[RecoveredAxis, ...]) -> tuple[float, float | None]:
        """The constant that is added, and the value of pixels that take nothing from the input.

        Raises:
            NotAResizeError: what is added differs from pixel to pixel.
        """
        base = self.prober.signalling.base
        added = self.zero - base * self.total
        empty = np.abs(self.total) < 0.5 * abs(self.gain)
        limit = 8 * max(self.prober.weight_error, 1e-6) * max(1.0, abs(base), float(np.abs(added).max()))
        inside, outside = added[~empty], self.zero[empty]
        if np.ptp(inside) > limit or (outside.size and np.ptp(outside) > limit):
            raise NotAResizeError("it adds values that differ from pixel to pixel")
        middle = float(np.median(inside))
        return (0.0 if abs(middle) <= limit else middle), (
            float(np.median(outside)) if outside.size else None
        )


def _along(values: np.ndarray, axis: int, shape: tuple[int, ...]) -> np.ndarray:
    """An image that varies along one axis only."""
    view = values.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return np.broadcast_to(view, shape).astype(np.float64)


def _varies(height: np.ndarray, axis: int, limit: float) -> bool:
    """Whether any line along `axis` changes; nan entries count as unseen."""
    low = np.nanmin(np.where(np.isnan(height), np.inf, height), axis=axis)
    high = np.nanmax(np.where(np.isnan(height), -np.inf, height), axis=axis)
    span = (high - low)[np.isfinite(high) & np.isfinite(low)]
    return bool(span.size and span.max() > limit)
