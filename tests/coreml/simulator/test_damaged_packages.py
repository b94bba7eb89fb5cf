"""Missing, truncated and foreign files: one clear sentence each."""

from __future__ import annotations

import shutil
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813

from rewriter.coreml.simulator import load
from rewriter.errors import InputError, RewriterError, UnsupportedError
from tests.coreml.simulator.packages import save_program


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weight = np.random.default_rng(0).standard_normal((64, 32, 3, 3)).astype(np.float32)
    return save_program(
        tmp_path_factory.mktemp("sound"),
        {"x": (1, 32, 8, 8)},
        lambda x: mb.conv(x=x, weight=weight, name="y"),
    )


@pytest.fixture
def package(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "copy.mlpackage"))


def test_missing_and_foreign(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "nothing.mlpackage")
    file = tmp_path / "file.mlpackage"
    file.write_bytes(b"x")
    with pytest.raises(InputError, match="is not a Core ML package"):
        load(file)
    empty = tmp_path / "empty.mlpackage"
    empty.mkdir()
    with pytest.raises(InputError, match=r"it has no Manifest\.json"):
        load(empty)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_bad_manifest(package: Path, text: str) -> None:
    (package / "Manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"its Manifest\.json"):
        load(package)


def test_model_file_missing_or_cut_off(package: Path) -> None:
    model = next(package.rglob("model.mlmodel"))
    content = model.read_bytes()
    for kept in (len(content) // 2, len(content) - 1):
        model.write_bytes(content[:kept])
        with pytest.raises(InputError):
            load(package)
    model.unlink()
    with pytest.raises(InputError, match="its model file is missing or cut off"):
        load(package)


def test_weights_missing_or_cut_off(package: Path) -> None:
    weights = next(package.rglob("weight.bin"))
    content = weights.read_bytes()
    for kept in (0, 40, len(content) // 2):
        weights.write_bytes(content[:kept])
        with pytest.raises(RewriterError) as caught:
            load(package)
        assert isinstance(caught.value, InputError)
    weights.unlink()
    with pytest.raises(InputError):
        load(package)


def test_neural_network_is_refused(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(1, 3))], opset_version=ct.target.iOS14)
    def program(x):
        return mb.relu(x=x, name="y")

    spec = ct.convert(program, source="milinternal", convert_to="neuralnetwork").get_spec()
    path = tmp_path / "old.mlpackage"
    ct.models.MLModel(spec, skip_model_load=True).save(str(path))
    with pytest.raises(
        UnsupportedError, match="holds a neuralNetwork, and only ML programs can be simulated"
    ):
        load(path)


def test_an_operator_that_nobody_knows(tmp_path: Path) -> None:
    from coremltools.proto import Model_pb2

    from rewriter.coreml.lowering import lower
    from tests.evidence.random_networks import build

    package = tmp_path / "m.mlpackage"
    lower(build("unet", 1, 1)).save(package)
    program = package / "Data/com.apple.CoreML/model.mlmodel"
    model = Model_pb2.Model.FromString(program.read_bytes())
    (block,) = model.mlProgram.functions["main"].block_specializations.values()
    operation = next(each for each in block.operations if each.type != "const")
    operation.type = "frobnicate"
    program.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedError, match="operator frobnicate is not known") as caught:
        load(package)
    assert caught.value.node == operation.outputs[0].name
    assert "function 'main'" in caught.value.message
