"""The generated models are valid, are what onnx itself would write, and need exactly the edit that is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks.contenders import PEERS
from benchmarks.environment import installed
from benchmarks.graphs import BLOCK, chain_of_blocks
from benchmarks.jobs import edit
from benchmarks.networks import mobilenet_v2, unet
from benchmarks.weights import LAYERS, write_external_data_model, write_single_file
from rewriter.rewriting import rewrite_file

SIZE = 600_000


def test_a_chain_has_the_nodes_that_were_asked_for() -> None:
    model = chain_of_blocks(5 * BLOCK)
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.node) == 5 * BLOCK
    assert sum(node.op_type == "Resize" for node in model.graph.node) == 5
    assert len({node.name for node in model.graph.node}) == 5 * BLOCK


def test_a_single_file_is_what_onnx_writes(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_single_file(path, SIZE)
    model = onnx.load(path)
    assert model.SerializeToString() == path.read_bytes()
    onnx.checker.check_model(model, full_check=True)
    assert len(model.graph.initializer) == 2 * LAYERS + 1
    assert 0.5 * SIZE < path.stat().st_size < 1.5 * SIZE
    # Zeros, or the same stretch again and again, could be stored in less space than they take.
    first, second = (onnx.numpy_helper.to_array(model.graph.initializer[index]) for index in (2, 4))
    assert first.std() == pytest.approx(0.02, rel=0.2)
    assert not np.array_equal(first, second)


def test_external_data_lie_where_the_model_says(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    data = write_external_data_model(path, SIZE)
    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "layer_40/weight")
    assert onnx.numpy_helper.to_array(weights).std() == pytest.approx(0.02, rel=0.2)
    assert data.stat().st_size % 4096 == 0
    assert data.stat().st_blocks * 512 >= data.stat().st_size
    assert path.stat().st_size < SIZE


@pytest.mark.parametrize("write", [write_single_file, write_external_data_model])
def test_the_large_models_need_one_change(tmp_path: Path, write: object) -> None:
    path = tmp_path / "model.onnx"
    assert callable(write)
    write(path, SIZE)
    done = rewrite_file(path, None, check=False)
    assert [(change.attribute, change.new) for change in done.changes] == [
        ("coordinate_transformation_mode", "align_corners")
    ]


@pytest.mark.parametrize("tool", sorted(PEERS))
def test_a_peer_does_what_it_is_asked(tmp_path: Path, tool: str) -> None:
    if installed(PEERS[tool].distribution) is None:
        pytest.skip(f"{PEERS[tool].distribution} is not installed")
    source, target = tmp_path / "in.onnx", tmp_path / "out.onnx"
    write_external_data_model(source, SIZE)
    edit.JOBS[tool](str(source), str(target))
    before, after = _resizes(source), _resizes(target)
    if not PEERS[tool].edits:
        assert after == before
        return
    assert after == [
        {**attributes, "coordinate_transformation_mode": b"align_corners"} for attributes in before
    ]


@pytest.mark.parametrize("job", sorted(set(edit.JOBS) - set(PEERS)))
def test_a_base_writes_nothing(tmp_path: Path, job: str) -> None:
    source, target = tmp_path / "in.onnx", tmp_path / "out.onnx"
    onnx.save(chain_of_blocks(BLOCK), source)
    edit.JOBS[job](str(source), str(target))
    assert list(tmp_path.iterdir()) == [source]


def _resizes(path: Path) -> list[dict[str, object]]:
    model = onnx.load(path, load_external_data=False)
    return [
        {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
        for node in model.graph.node
        if node.op_type == "Resize"
    ]


def test_mobilenet_has_the_published_number_of_parameters() -> None:
    model = mobilenet_v2(64)
    onnx.checker.check_model(model, full_check=True)
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    # torchvision's mobilenet_v2 has 3,504,872, of which 34,112 are scales and shifts of 17,056 normalised channels;
    # folding leaves one bias for each channel. The two limits of ReLU6 are constants here.
    assert sum(sizes.values()) - sizes["zero"] - sizes["six"] == 3_504_872 - 17_056
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 52


def test_the_unet_has_five_resizes_among_some_150_nodes() -> None:
    model = unet(64)
    onnx.checker.check_model(model, full_check=True)
    assert 140 < len(model.graph.node) < 170
    assert sum(node.op_type == "Resize" for node in model.graph.node) == 5
