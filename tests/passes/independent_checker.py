"""Checks certificates from the text of the ONNX operator specification alone; imports nothing that it checks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
import pytest

Matrix = list[list[Fraction]]


def check(certificate: Mapping[str, Any]) -> None:
    """Raise AssertionError where the certificate does not hold or claims something that is not known here."""
    assert certificate["equal"] is True
    kind = certificate.get("kind")
    assert kind in _CHECKS, f"unknown kind of certificate {kind!r}"
    _CHECKS[kind](certificate)


def check_all(changes: Iterable[Any]) -> None:
    """Check the certificate of each respelling and cleanup; none may lack one."""
    for change in changes:
        if change.effect != "correction":
            assert change.certificate is not None, change
            # As reports hold it: plain data.
            check(json.loads(json.dumps(dict(change.certificate))))


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


def _kernel(certificate: Mapping[str, Any]) -> None:
    """Conv and ConvTranspose by what each output, or each input, touches; at the sizes given, or at many."""
    for index, axis in enumerate(certificate["axes"]):
        sizes = certificate["sizes"]
        stride = axis["stride"]
        pairs = [sizes[index]] if sizes is not None else [[n, n * stride] for n in range(1, 40)]
        for n, m in pairs:
            found = _convolution(axis, n)
            assert len(found) == m and found == matrix(certificate["spelling"], n, m)


def _convolution(axis: Mapping[str, Any], n: int) -> Matrix:
    mode, before, after = axis["border"]
    padded = []
    for i in range(-before, n + after):
        inside = 0 <= i < n or mode == "edge"
        padded.append([Fraction(int(inside and min(max(i, 0), n - 1) == j)) for j in range(n)])
    kernel, stride, (cut, cut_end) = [Fraction(w) for w in axis["kernel"]], axis["stride"], axis["pads"]
    nothing = [Fraction(0)] * n
    if axis["operator"] == "ConvTranspose":
        length = (len(padded) - 1) * stride + len(kernel) + axis["output_padding"]
        spread = [list(nothing) for _ in range(length)]
        for place, row in enumerate(padded):
            for t, weight in enumerate(kernel):
                spread[place * stride + t] = [
                    a + weight * b for a, b in zip(spread[place * stride + t], row, strict=True)
                ]
        result = spread[cut : length - cut_end]
    else:
        around = [nothing] * cut + padded + [nothing] * cut_end
        starts = range(0, len(around) - len(kernel) + 1, stride)
        result = [
            [sum((w * around[s + t][j] for t, w in enumerate(kernel)), Fraction(0)) for j in range(n)]
            for s in starts
        ]
    return result[slice(*axis["crop"])] if axis["crop"] is not None else result


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
    assert certificate["sizes"]
    for axis in certificate["axes"]:
        n, m = axis["n_in"], axis["n_out"]
        assert [n, m] in certificate["sizes"]
        assert matrix(axis["first"], n, m) == matrix(axis["second"], n, m)


def _identity(certificate: Mapping[str, Any]) -> None:
    assert all(n == m for n, m in certificate["sizes"])
    for axis in certificate["axes"]:
        assert axis["n_in"] == axis["n_out"]
        assert matrix(axis["words"], axis["n_in"], axis["n_out"]) == _unit(axis["n_in"])


def _identity_at_every_length(certificate: Mapping[str, Any]) -> None:
    assert certificate["words"]["scale"] == "1"
    for n in range(1, 12):
        assert matrix(certificate["words"], n, n) == _unit(n)


def _same_matrix(certificate: Mapping[str, Any]) -> None:
    for n in range(1, 12):
        for m in range(1, 24):
            assert matrix(certificate["first"], n, m) == matrix(certificate["second"], n, m)


def _no_scale_enters(certificate: Mapping[str, Any]) -> None:
    for n in range(1, 12):
        for scale in map(Fraction, certificate["scales"]):
            m = math.floor(n * scale)
            if m >= 1:
                scaled = matrix({**certificate["words"], "scale": str(scale)}, n, m)
                assert scaled == matrix(certificate["words"], n, m)


def _quotients(certificate: Mapping[str, Any]) -> None:
    """onnxruntime and onnx.reference divide the lengths in float32 where a Resize has sizes."""
    assert certificate["quotients"] or certificate["whole"]
    for axis in certificate["quotients"]:
        assert np.float32(axis["n_out"]) / np.float32(axis["n_in"]) == np.float32(axis["scale"])
    for axis in certificate["whole"]:
        assert axis["scale"] >= 1 and axis["scale"] % 1 == 0


def _legacy_operator(certificate: Mapping[str, Any]) -> None:
    """Upsample and Resize-10: x = i / scale; nearest is the floor, in Resize-10 the ceiling where it shrinks."""
    assert certificate["operator"] in {"Upsample-7", "Upsample-8", "Upsample-9", "Resize-10"}
    words = certificate["words"]
    assert words["coordinates"] == "asymmetric" and words["mode"] in {"nearest", "linear"}
    if words["mode"] == "linear":
        return
    for scale in map(Fraction, certificate["scales"] or ()):
        assert scale >= 1 or certificate["operator"] == "Resize-10"
        for n in range(1, 12):
            m = math.floor(n * scale)
            taken = [
                min(math.floor(i / scale) if scale >= 1 else math.ceil(i / scale), n - 1) for i in range(m)
            ]
            if m >= 1 and scale != 1:
                assert [row.index(1) for row in matrix({**words, "scale": str(scale)}, n, m)] == taken


def _separable(certificate: Mapping[str, Any]) -> None:
    first, second = certificate["first"], certificate["second"]
    assert len(first) == len(second)
    assert all(1 in pair for pair in zip(first, second, strict=True))


def _default(certificate: Mapping[str, Any]) -> None:
    schema = onnx.defs.get_schema("Resize", certificate["opset"])
    default = onnx.helper.get_attribute_value(schema.attributes[certificate["attribute"]].default_value)
    default = default.decode() if isinstance(default, bytes) else default
    assert default == pytest.approx(certificate["value"])


def _axes(certificate: Mapping[str, Any]) -> None:
    rank, before, after = certificate["rank"], certificate["before"], certificate["after"]
    assert [axis + rank if axis < 0 else axis for axis in before] == after


def _alias(certificate: Mapping[str, Any]) -> None:
    assert (certificate["name"], certificate["stands_for"]) == ("bilinear", "linear")


def _parameter(certificate: Mapping[str, Any]) -> None:
    assert certificate["parameter"]


def _permutations(certificate: Mapping[str, Any]) -> None:
    """Transposing by p and then by q is transposing by p[q]."""
    if "perms" in certificate:
        first, second = certificate["perms"]
        assert [first[axis] for axis in second] == certificate["result"]


def _folded(certificate: Mapping[str, Any]) -> None:
    """The value itself is compared by running the model: see the tests of the pass."""
    assert np.array(certificate["value"]).astype(certificate["dtype"]).tolist() == certificate["value"]


def _named(*facts: str) -> Callable[[Mapping[str, Any]], None]:
    """A rule about operators rather than matrices; what it says is compared by running both models."""

    def check_facts(certificate: Mapping[str, Any]) -> None:
        assert all(certificate.get(fact) is not None for fact in facts)

    return check_facts


def _unit(n: int) -> Matrix:
    return [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]


def _floats(exact: Matrix, dtype: Any) -> np.ndarray:
    return np.array([[float(weight) for weight in row] for row in exact], dtype=dtype)


_CHECKS = {
    "alias": _alias,
    "axes": _axes,
    "commutes": _named("operator", "perm"),
    "comparison": _comparison,
    "composition": _composition,
    "default": _default,
    "folded": _folded,
    "identity": _identity,
    "identity at every length": _identity_at_every_length,
    "kernel": _kernel,
    "legacy operator": _legacy_operator,
    "matrices": _matrices,
    "no scale enters": _no_scale_enters,
    "operator version": _named("operator", "opset"),
    "opset": _named("before", "after"),
    "parameter": _parameter,
    "permutations": _permutations,
    "product": _products,
    "quotients": _quotients,
    "recurrent cell": _named("operator"),
    "repetition": _repetition,
    "same matrix": _same_matrix,
    "separable": _separable,
    "unread": _named("tensors"),
}
