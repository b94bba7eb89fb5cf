"""Core ML packages: native operators and decompositions are exchanged, and the ONNX node is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

pytest.importorskip("coremltools")

from rewriter.coreml.lowering import lower
from rewriter.verification import verify
from rewriter.verification.result import VerificationReport
from tests.verification.small_networks import convolution, network, resize, three_resizes

LINEAR = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}


def _package(model: onnx.ModelProto, path: Path, precision: str = "float32") -> Path:
    return lower(model, precision=precision).save(path / "model.mlpackage")


def _errors(report: VerificationReport) -> list[tuple[str | None, str | None]]:
    assert not report.passed and all(pair.simulated for pair in report.pairs)
    return [(f.node, f.candidate_semantics) for f in report.diagnosis if f.level == "error"]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_right_package_passes(tmp_path: Path, precision: str) -> None:
    report = verify(three_resizes(), [_package(three_resizes(), tmp_path, precision)])
    assert report.passed
    assert (report.pairs[0].precision, report.pairs[0].simulated) == (precision, True)


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("wrong", [(1,), (0, 2)])
def test_native_operators(tmp_path: Path, precision: str, wrong: tuple[int, ...]) -> None:
    modes = ["half_pixel" if index in wrong else "align_corners" for index in range(3)]
    report = verify(three_resizes(), [_package(three_resizes(modes), tmp_path, precision)])
    assert _errors(report) == [(f"up{index + 1}", "linear half_pixel") for index in wrong]


@pytest.mark.parametrize(
    ("words", "semantics"),
    [
        ({"mode": "cubic", "coordinate_transformation_mode": "half_pixel"}, "cubic half_pixel a=-0.75"),
        (
            {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "ceil"},
            "nearest half_pixel ceil",
        ),
    ],
)
def test_decompositions_are_found_by_their_certificates(
    tmp_path: Path, words: dict[str, str], semantics: str
) -> None:
    def model(second: dict[str, str]) -> onnx.ModelProto:
        parts = [
            convolution("x", "a", (3, 6), 0),
            resize("a", "b", (1, 6, 23, 29), "first"),
            convolution("b", "c", (6, 4), 1),
            resize("c", "y", (1, 4, 40, 50), "second", **second),
        ]
        return network(parts, output="y")

    report = verify(model(LINEAR), [_package(model(words), tmp_path)])
    assert _errors(report) == [("second", semantics)]


def test_packages_without_certificates_name_the_operator(tmp_path: Path) -> None:
    lowered = lower(three_resizes(("align_corners", "half_pixel", "align_corners")))
    path = tmp_path / "foreign.mlpackage"
    lowered.mlmodel.save(str(path))
    ((node, semantics),) = _errors(verify(three_resizes(), [path]))
    assert semantics == "linear half_pixel"
    assert node is not None and node != "up2"


def test_a_package_as_the_reference(tmp_path: Path) -> None:
    reference = _package(three_resizes(), tmp_path)
    report = verify(reference, [three_resizes(("align_corners", "align_corners", "asymmetric"))])
    assert _errors(report) == [("up3", "linear asymmetric")]


def test_overflow_in_float16_is_named_with_its_operator(tmp_path: Path) -> None:
    def scaled(source: str, target: str, factor: float):  # type: ignore[no-untyped-def]
        constant = numpy_helper.from_array(np.float32(factor), f"{target}_factor")
        return helper.make_node("Mul", [source, constant.name], [target]), constant

    parts = [
        convolution("x", "a", (3, 4), 0),
        scaled("a", "large", 3e4),
        (helper.make_node("Mul", ["large", "large"], ["overflow"]), None),
        scaled("overflow", "b", 1e-9),
        resize("b", "y", (1, 4, 32, 32), "up"),
    ]
    model = network(parts, output="y")
    report = verify(model, [_package(model, tmp_path, "float16")])
    assert not report.passed
    assert "float16 overflows" in report.diagnosis[0].message
    assert report.diagnosis[0].remedy is not None and "float32" in report.diagnosis[0].remedy
