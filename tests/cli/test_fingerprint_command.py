"""`rewriter fingerprint`: files, nodes and callables; JSON and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from rewriter.cli.main import main


def _run(*arguments: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(main, ["fingerprint", *arguments, "--json", "-"])
    return result.exit_code, json.loads(result.stdout)


def _model(tmp_path: Path, opset: int = 18) -> Path:
    """Two resizes with a convolution between them; one has constant sizes, one scales."""
    nodes = [
        helper.make_node("Resize", ["x", "", "", "sizes"], ["a"], name="first", mode="linear",
                         coordinate_transformation_mode="align_corners"),
        helper.make_node("Conv", ["a", "w"], ["b"]),
        helper.make_node("Resize", ["b", "", "scales"], ["y"], name="second", mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    ]  # fmt: skip
    constants = [
        numpy_helper.from_array(np.array([1, 2, 20, 9], np.int64), "sizes"),
        numpy_helper.from_array(np.array([1, 1, 1.7, 2], np.float32), "scales"),
        numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), "w"),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 7, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    path = tmp_path / "two.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def _words(entry: dict[str, Any], framework: str) -> list[str]:
    return [word["text"] for word in entry["words"] if word["framework"] == framework]


def test_every_resize_of_a_file_is_cut_out(tmp_path: Path) -> None:
    code, report = _run(str(_model(tmp_path)))
    assert code == 0
    first, second = report["fingerprints"]
    assert (first["node"], first["graph"], first["kind"]) == ("first", "main", "resize")
    assert "Resize(mode='linear', coordinate_transformation_mode='align_corners')" in _words(first, "onnx")
    assert "ResizeBilinear(align_corners=True, half_pixel_centers=False)" in _words(first, "tensorflow")
    assert second["layout"] == "NCHW"
    (asymmetric,) = (w for w in second["words"] if w["arguments"].get("nearest_mode") == "floor")
    assert asymmetric["arguments"]["scales"] == pytest.approx([1.7, 2.0])


def test_one_node_by_name(tmp_path: Path) -> None:
    code, report = _run(str(_model(tmp_path)), "--node", "second")
    assert (code, [entry["node"] for entry in report["fingerprints"]]) == (0, ["second"])
    code, report = _run(str(_model(tmp_path)), "--node", "third")
    assert (code, report["error"]["kind"], report["error"]["node"]) == (2, "bad_input", "third")


def test_an_old_upsample(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Upsample", ["x"], ["y"], name="up", mode="linear", scales=[1.0, 1.0, 2.0, 3.0])],
        "old",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 5, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 10, 18])],
    )
    path = tmp_path / "old.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3), path)
    _, report = _run(str(path))
    (entry,) = report["fingerprints"]
    assert "Upsample(mode='linear')" in _words(entry, "onnx")
    assert "ResizeBilinear(align_corners=False, half_pixel_centers=False)" in _words(entry, "tensorflow")


def test_an_eleven_with_its_empty_inputs(tmp_path: Path) -> None:
    _, report = _run(str(_model(tmp_path, opset=11)), "--node", "first")
    assert report["fingerprints"][0]["kind"] == "resize"


def test_a_whole_model_must_be_a_resize(tmp_path: Path) -> None:
    code, report = _run(str(_model(tmp_path)), "--whole-model")
    (entry,) = report["fingerprints"]
    assert (code, entry["kind"]) == (0, "not_a_resize")
    assert "axis 1" in entry["reason"]


def test_a_resize_whose_sizes_only_the_running_model_knows(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Resize", ["x", "", "", "s"], ["y"], name="dynamic")],
        "dynamic",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4]),
            helper.make_tensor_value_info("s", TensorProto.INT64, [4]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "dynamic.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    code, report = _run(str(path))
    assert (code, report["fingerprints"][0]["kind"]) == (0, "not_run")
    code, report = _run(str(path), "--node", "dynamic")
    assert (code, report["error"]["kind"]) == (2, "unsupported")


def test_a_callable_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_resizes.py").write_text(
        "import numpy as np\n\n\ndef twice(x):\n    return np.repeat(np.repeat(x, 2, 1), 2, 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    code, report = _run("my_resizes:twice", "--shape", "image:1,5,6,2", "--dtype", "uint8")
    (entry,) = report["fingerprints"]
    assert (code, entry["kind"], entry["dtype"]) == (0, "resize", "uint8")
    assert "UpSampling2D(interpolation='nearest')" in _words(entry, "keras")
    text = CliRunner().invoke(main, ["fingerprint", "my_resizes:twice", "--shape", "1,5,6,2"]).stdout
    assert "UpSampling2D(interpolation='nearest')" in text


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["numpy:sin"], "usage"),
        (["numpy:sin", "--shape", "1,x"], "usage"),
        (["numpy:sin", "--shape", "1,2", "--dtype", "pixels"], "usage"),
        (["numpy:no_such_function", "--shape", "1,2"], "bad_input"),
        (["no_such_package_here:f", "--shape", "1,2"], "bad_input"),
        (["numpy:pi", "--shape", "1,2"], "bad_input"),
        (["missing.onnx"], "bad_input"),
        (["missing.onnx", "--node", "a", "--whole-model"], "usage"),
    ],
)
def test_misuse_and_bad_input(arguments: list[str], kind: str) -> None:
    code, report = _run(*arguments)
    assert (code, report["error"]["kind"]) == (2, kind)


def test_a_core_ml_package_through_the_simulator(tmp_path: Path) -> None:
    pytest.importorskip("coremltools")
    from coremltools import converters
    from coremltools.converters.mil import Builder, mil

    @Builder.program(input_specs=[Builder.TensorSpec((1, 2, 7, 9), mil.types.fp32)])
    def program(x: Any) -> Any:
        return Builder.resize_bilinear(
            x=x, target_size_height=18, target_size_width=13, sampling_mode="UNALIGN_CORNERS"
        )

    import coremltools as ct

    path = tmp_path / "resize.mlpackage"
    package = converters.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
    )
    package.save(str(path))
    code, report = _run(str(path))
    (entry,) = report["fingerprints"]
    assert code == 0
    assert "resize_bilinear(sampling_mode='UNALIGN_CORNERS')" in _words(entry, "coreml")
    assert "Resize(mode='linear', coordinate_transformation_mode='half_pixel')" in _words(entry, "onnx")
