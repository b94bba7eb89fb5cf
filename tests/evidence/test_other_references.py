"""References that are networks, and resizes in functions."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import models
from rewriter.errors import UsageError
from rewriter.evidence import gather
from rewriter.evidence.pairs import pair_outputs
from rewriter.model import Model
from rewriter.rewriting import rewrite
from tests.evidence.random_networks import coordinates, golden_image, resizes, scrambled
from tests.evidence.recovery import reference_run, save_golden
from tests.verification.small_networks import three_resizes


def test_a_keras_file_is_a_reference(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from rewriter.tensorflow.convert import convert

    network = models.build("odd_sizes")
    network.save(tmp_path / "network.keras")
    true = convert(network)
    del true.metadata_props[:]
    for node in true.graph.node:
        del node.metadata_props[:]
    wrong = scrambled(true, 3)
    assert [coordinates(n).s for n in resizes(wrong)] != [coordinates(n).s for n in resizes(true)]
    model = Model.from_proto(wrong)
    done = rewrite(model, reference=tmp_path / "network.keras")
    assert done.evidence is not None and done.evidence.passed
    assert [coordinates(n).s for n in resizes(model.to_proto())] == [coordinates(n).s for n in resizes(true)]


def test_without_tensorflow_the_pip_command_is_given(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "network.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    onnx.save(three_resizes(), tmp_path / "m.onnx")
    # A process of its own: this one may have imported TensorFlow already.
    code = (
        "import sys\nsys.modules['tensorflow'] = None\nfrom rewriter.cli.rewrite import main\n"
        "main(['m.onnx', '-o', 'out.onnx', '--reference', 'network.keras'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'rewriter[tensorflow]'" in done.stderr
    assert not (tmp_path / "out.onnx").exists()


def test_a_resize_in_a_function_is_not_searched(tmp_path: Path) -> None:
    sizes = numpy_helper.from_array(np.array([1, 3, 23, 29], np.int64))
    opset = helper.make_opsetid("", 18)
    function = helper.make_function(
        "local",
        "Twice",
        ["a"],
        ["b"],
        [
            helper.make_node("Constant", [], ["sizes"], value=sizes),
            helper.make_node("Resize", ["a", "", "", "sizes"], ["b"], name="inside", mode="linear"),
        ],
        [opset],
    )
    outer = numpy_helper.from_array(np.array([1, 3, 40, 41], np.int64), "outer_sizes")
    nodes = [
        helper.make_node("Twice", ["x"], ["t"], domain="local"),
        helper.make_node(
            "Resize",
            ["t", "", "", "outer_sizes"],
            ["y"],
            name="outside",
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
    ]
    shown = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [shown("x", TensorProto.FLOAT, [1, 3, 16, 16])],
        [shown("y", TensorProto.FLOAT, [1, 3, 40, 41])],
        [outer],
    )
    true = helper.make_model(
        graph, opset_imports=[opset, helper.make_opsetid("local", 1)], functions=[function]
    )
    true.ir_version = 10
    image = golden_image(true, 1)
    golden = save_golden(tmp_path / "g.npz", image, reference_run(true, image))
    wrong = onnx.ModelProto.FromString(true.SerializeToString())
    coordinates(wrong.graph.node[1]).s = b"asymmetric"
    evidence = gather(Model.from_proto(wrong), golden).evidence
    found = {node.node: node for node in evidence.nodes}
    assert evidence.reproduced
    assert found["outside"].chosen == "linear align_corners" and found["outside"].determined
    assert not found["inside"].searched and "function" in found["inside"].why


def test_outputs_of_one_shape_are_paired_by_likeness() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 1, 3, 8, 8)).astype(np.float32)
    links = pair_outputs({"u": second, "v": first}, {"p": first + 0.01, "q": second + 0.01})
    assert {link.reference: link.candidate for link in links} == {"u": "q", "v": "p"}


def test_a_cube_is_paired_in_the_layout_that_fits() -> None:
    cube = np.random.default_rng(0).normal(size=(1, 4, 4, 4)).astype(np.float32)
    (link,) = pair_outputs({"y": cube.transpose(0, 2, 3, 1)}, {"y": cube})
    assert np.array_equal(link.to_candidate(cube.transpose(0, 2, 3, 1)), cube)


def test_a_reference_with_more_outputs_is_misuse() -> None:
    array = np.zeros((1, 2), np.float32)
    with pytest.raises(UsageError, match="2 outputs"):
        pair_outputs({"a": array, "b": array}, {"a": array})
