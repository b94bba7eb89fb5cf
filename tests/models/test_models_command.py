"""`python -m models`."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from models import REGISTRY, build, sample_input
from models.__main__ import main
from rewriter.tensorflow.load import load_keras


def _invoke(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_list():
    lines = _invoke("list").splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(REGISTRY)
    for sample, line in zip(REGISTRY.values(), lines[1::2], strict=True):
        assert line.strip().startswith(f"--builder {sample.builder}")
        assert ("--weights" in line) == (sample.weights is not None)


@pytest.mark.parametrize("name", REGISTRY)
def test_build(tmp_path, name):
    path = tmp_path / "net.keras"
    assert str(path) in _invoke("build", name, "-o", path)
    x = sample_input(name)
    np.testing.assert_allclose(
        load_keras(path)(x, training=False), build(name)(x, training=False), rtol=0, atol=1e-6
    )


def test_image(tmp_path):
    _invoke("image", "-o", tmp_path / "x.npy", "--name", "odd_sizes", "--seed", 4)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), sample_input("odd_sizes", 4))
    _invoke("image", "-o", tmp_path / "x.png")
    from matplotlib.image import imread

    np.testing.assert_allclose(
        imread(tmp_path / "x.png")[..., :3], sample_input("segmenter", 15)[0], atol=1 / 255
    )


def test_unknown_network(tmp_path):
    result = CliRunner().invoke(main, ["build", "resnet", "-o", str(tmp_path / "net.keras")])
    assert result.exit_code == 2 and "resnet" in result.output


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["build", "odd_sizes", "-o", "net.onnx"], "net.onnx"),
        (["build", "odd_sizes", "-o", "missing/net.keras"], "cannot write"),
        (["image", "-o", "x.txt"], "x.txt"),
        (["image", "-o", "missing/x.npy"], "cannot write"),
        (["train", "-o", "segmenter.h5"], "segmenter.h5"),
    ],
)
def test_output_that_cannot_be_written(tmp_path, monkeypatch, arguments, cause):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    [sentence] = result.stderr.splitlines()
    assert sentence.startswith("error: ") and cause in sentence
    assert list(tmp_path.iterdir()) == []
