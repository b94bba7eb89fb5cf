"""Checks certificates from the text of the ONNX operator specification alone; imports nothing that it checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

Matrix = list[list[Fraction]]


def check(certificate: Mapping[str, Any]) -> None:
    """Raise AssertionError where the certificate does not hold or claims something that is not known here."""
    assert certificate["equal"] is True
    kind = certificate.get("kind", "comparison" if "first" in certificate else None)
    assert kind in _CHECKS, f"unknown kind of certificate {kind!r}"
    _CHECKS[kind](certificate)


def matrix(words: Mapping[str, Any], n: int, m: int) -> Matrix:
    """The matrix of a Resize of one axis, [m][n]; a row of zeros where tf_crop_and_resize is outside."""
    scale = Fraction(m, n) if words.get("scale") is None else Fraction(words["scale"])
    roi = tuple(Fraction(edge) for edge in words.get("roi", ("0", "1")))
    result = []
    for i in range(m):
        row = [Fraction(0)] * n
        x = _coordinate(words["coordinates"], i, n, m, scale, roi)
        if words["coordinates"] != "tf_crop_and_resize" or 0 <= x <= n - 1:
            for j, weight in _taps(words, x, n, scale):
                row[min(max(j, 0), n - 1)] += weight
        result.append(row)
    return result


def _coordinate(mode: str, i: int, n: int, m: int, scale: Fraction, roi: tuple[Fraction, ...]) -> Fraction:
    half = Fraction(1, 2)
    if mode == "half_pixel":
        return (i + half) / scale - half
    if mode == "pytorch_half_pixel":
        return (i + half) / scale - half if m > 1 else Fraction(0)
    if mode == "half_pixel_symmetric":
        adjustment = m / (scale * n)
        return Fraction(n, 2) * (1 - adjustment) + (i + half) / scale - half
    if mode == "align_corners":
        return Fraction(i * (n - 1), m - 1) if m > 1 else Fraction(0)
    if mode == "asymmetric":
        return i / scale
    if mode == "tf_half_pixel_for_nn":
        return (i + half) / scale
    assert mode == "tf_crop_and_resize", mode
    if m == 1:
        return half * (roi[0] + roi[1]) * (n - 1)
    return roi[0] * (n - 1) + i * (roi[1] - roi[0]) * (n - 1) / (m - 1)


def _taps(words: Mapping[str, Any], x: Fraction, n: int, scale: Fraction) -> list[tuple[int, Fraction]]:
    if words["mode"] == "nearest":
        down, up = math.floor(x), math.ceil(x)
        tie = x - down == Fraction(1, 2)
        nearest = math.floor(x + Fraction(1, 2))
        picked = {
            "floor": down,
            "ceil": up,
            "round_prefer_floor": down if tie else nearest,
            "round_prefer_ceil": up if tie else nearest,
        }
        return [(picked[words["rounding"]], Fraction(1))]
    stretch = 1 / scale if words.get("antialias") and scale < 1 else Fraction(1)
    if words["mode"] == "linear":
        x = x if stretch != 1 else min(max(x, Fraction(0)), Fraction(n - 1))
        reach, kernel = 1, _triangle
    else:
        a = Fraction(words.get("cubic_a", "-0.75"))
        reach, kernel = 2, lambda d: _cubic(d, a)
    span = range(math.floor(x - reach * stretch), math.ceil(x + reach * stretch) + 1)
    taps = [(j, kernel(abs(x - j) / stretch)) for j in span]
    if words.get("exclude_outside"):
        taps = [(j, weight) for j, weight in taps if 0 <= j < n]
    total = sum(weight for _, weight in taps)
    return [(j, weight / total) for j, weight in taps]


def _triangle(d: Fraction) -> Fraction:
    return max(Fraction(0), 1 - d)


def _cubic(d: Fraction, a: Fraction) -> Fraction:
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a if d < 2 else Fraction(0)


def _product(after: Matrix, before: Matrix) -> Matrix:
    columns = range(len(before[0]))
    return [
        [sum((w * before[k][j] for k, w in enumerate(row) if w), Fraction(0)) for j in columns]
        for row in after
    ]


def _step(step: Mapping[str, Any], n: int) -> Matrix:
    def pick(indices: list[int]) -> Matrix:
        return [[Fraction(int(j == index)) for j in range(n)] for index in indices]

    if step["op"] == "Pad":
        assert step["mode"] == "edge"
        return pick(
            [min(max(i - step["before"], 0), n - 1) for i in range(n + step["before"] + step["after"])]
        )
    if step["op"] == "Slice":
        indices = [step["start"] + i * step["step"] for i in range(step["count"])]
        assert all(0 <= index < n for index in indices)
        return pick(indices)
    if step["op"] == "Gather":
        assert all(0 <= index < n for index in step["indices"])
        return pick(step["indices"])
    assert step["op"] == "Resize" and step["n_in"] == n, step
    assert (step["mode"], step["coordinates"]) == ("linear", "align_corners")
    return matrix(step, n, step["n_out"])


def _composition(certificate: Mapping[str, Any]) -> None:
    assert certificate["axes"]
    for axis in certificate["axes"]:
        n, m, steps = axis["n_in"], axis["n_out"], axis["steps"]
        expected = matrix(axis["semantics"], n, m)
        if [step["op"] for step in steps] == ["MatMul"]:
            assert np.array_equal(np.array(steps[0]["matrix"]), _floats(expected, np.float64))
            continue
        total: Matrix = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
        for step in steps:
            total = _product(_step(step, len(total)), total)
        assert total == expected


def _matrices(certificate: Mapping[str, Any]) -> None:
    for axis in certificate["axes"]:
        expected = matrix(certificate["spelling"], axis["n_in"], axis["n_out"])
        if "indices" in axis:
            assert [row.index(1) for row in expected] == axis["indices"]
            continue
        given, rounded = np.array(axis["matrix"], np.float32), _floats(expected, np.float32)
        assert np.array_equal(given == 0, rounded == 0)
        assert np.all(np.abs(given - rounded) <= np.spacing(np.maximum(np.abs(given), np.abs(rounded))))


def _products(certificate: Mapping[str, Any]) -> None:
    for axis in certificate["axes"]:
        expected = matrix(certificate["spelling"], axis["n_in"], axis["n_out"])
        given = [{j: Fraction(w) for j, w in row} for row in axis["rows"]]
        assert given == [{j: w for j, w in enumerate(row) if w} for row in expected]


def _repetition(certificate: Mapping[str, Any]) -> None:
    words = {"mode": "nearest", "coordinates": "asymmetric", "rounding": "floor"}
    assert sorted(certificate["perm"]) == list(range(len(certificate["factors"])))
    for factor in certificate["factors"]:
        assert isinstance(factor, int) and factor >= 1
        for n in range(1, 8):
            repeated = [[Fraction(int(i // factor == j)) for j in range(n)] for i in range(n * factor)]
            assert matrix(words, n, n * factor) == repeated


def _comparison(certificate: Mapping[str, Any]) -> None:
    """Two spellings in words, e.g. ``linear half_pixel``, at sizes; only where the words say all axes alike."""
    assert certificate["sizes"]
    for n, m in certificate["sizes"]:
        pair = [_of_words(certificate[side], n, m) for side in ("first", "second")]
        assert pair[0] == pair[1]


def _of_words(text: str, n: int, m: int) -> Matrix:
    if text == "identity" or (n == m and "crop" not in text and "_for_nn" not in text):
        assert n == m
        return [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    assert " / " not in text, "axes that differ are not told apart by words"
    mode, coordinates, *rest = text.split()
    cubic = next((word[2:] for word in rest if word.startswith("a=")), "-0.75")
    rounding = rest[0] if mode == "nearest" else None
    flags = {"antialias": "antialias" in rest, "exclude_outside": "exclude_outside" in rest}
    return matrix(
        {"mode": mode, "coordinates": coordinates, "rounding": rounding, "cubic_a": cubic, **flags}, n, m
    )


def _floats(exact: Matrix, dtype: Any) -> np.ndarray:
    return np.array([[float(weight) for weight in row] for row in exact], dtype=dtype)


_CHECKS = {
    "comparison": _comparison,
    "composition": _composition,
    "matrices": _matrices,
    "product": _products,
    "repetition": _repetition,
}
