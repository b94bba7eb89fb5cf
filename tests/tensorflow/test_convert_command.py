"""`rewriter convert`: exit codes, what goes to stdout and stderr, and that nothing is half written."""

from __future__ import annotations

import json
import subprocess
import sys

import onnx
import pytest
from click.testing import CliRunner

from rewriter.cli.main import main
from tests.tensorflow.tensorflow_networks import keras, random_input, relative_error, run, tf, tiny_network


def _invoke(*arguments):
    return CliRunner().invoke(main, ["convert", *map(str, arguments)])


@pytest.fixture
def network(tmp_path):
    tiny_network().save(tmp_path / "tiny.keras")
    return tmp_path / "tiny.keras"


def test_writes_the_model(tmp_path, network):
    result = _invoke(network, "-o", tmp_path / "tiny.onnx", "--opset", 13, "--shape", "image:2,6,5,3")
    assert result.exit_code == 0, result.output
    assert "tiny/up/ResizeBilinear: ResizeBilinear(align_corners)" in result.stdout
    model = onnx.load(tmp_path / "tiny.onnx")
    assert model.opset_import[0].version == 13
    x = random_input((2, 6, 5, 3))
    assert relative_error(run(model, {"image": x})["up"], tiny_network()(x)) <= 1e-5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.keras", "tiny.onnx"]


def test_json_alone_on_stdout(tmp_path, network):
    command = [sys.executable, "-c", "from rewriter.cli.main import main; main()", "convert"]
    result = subprocess.run(
        [*command, str(network), "-o", str(tmp_path / "tiny.onnx"), "--json", "-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    payload = json.loads(result.stdout)
    [(name, source)] = payload["sources"].items()
    assert name == source["name"] == "tiny/up/ResizeBilinear" and source["align_corners"] is True
    assert payload["output"] == str(tmp_path / "tiny.onnx") and payload["nodes"] > 1
    noise = ("WARNING", "I0000", "absl", "cuda", "Traceback")
    assert not any(word in result.stderr for word in noise), result.stderr


def test_builder_and_weights(tmp_path):
    weights = tmp_path / "tiny.weights.h5"
    network = tiny_network()
    network.set_weights([values + 0.25 for values in network.get_weights()])
    network.save_weights(weights)
    builder = "tests.tensorflow.tensorflow_networks:tiny_network"
    result = _invoke("--builder", builder, "--weights", weights, "-o", tmp_path / "tiny.onnx")
    assert result.exit_code == 0, result.output
    x = random_input((1, 6, 5, 3))
    assert relative_error(run(onnx.load(tmp_path / "tiny.onnx"), {"image": x})["up"], network(x)) <= 1e-5


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ([], "usage"),
        (["missing.keras"], "bad_input"),
        (["tiny.keras", "--opset", "9"], "usage"),
        (["tiny.keras", "--opset", "0"], "usage"),
        (["tiny.keras", "--shape", "image"], "usage"),
        (["tiny.keras", "--shape", "image:1,0,5,3"], "usage"),
        (["tiny.keras", "--shape", "image:1,6,5,3", "--shape", "image:1,6,5,3"], "usage"),
        (["tiny.keras", "--shape", "picture:1,6,5,3"], "usage"),
        (["tiny.keras", "--shape", "image:1,9,9,9"], "usage"),
        (["tiny.keras", "--builder", "models.segmenter:build"], "usage"),
        (["tiny.keras", "--weights", "w.h5"], "usage"),
        (["--builder", "models.segmenter"], "usage"),
        (["digamma"], "unsupported"),
    ],
)
def test_errors_leave_the_old_file_alone(tmp_path, network, monkeypatch, arguments, kind):
    monkeypatch.chdir(tmp_path)
    if "digamma" in arguments:
        image = keras.Input((4, 4, 1))
        exported = keras.Model(image, Digamma()(image))
        exported.export(tmp_path / "digamma", verbose=False)
    (tmp_path / "out.onnx").write_bytes(b"old")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = _invoke(*arguments, "-o", "out.onnx", "--json", "-")
    assert result.exit_code == 2, result.output
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == kind
    sentences = [line for line in result.stderr.splitlines() if line]
    assert len(sentences) == 1 and sentences[0].startswith("error: ")
    assert (tmp_path / "out.onnx").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_output_that_cannot_be_written(tmp_path, network):
    result = _invoke(network, "-o", tmp_path / "no" / "out.onnx")
    assert result.exit_code == 2 and "cannot write" in result.stderr
    assert _invoke(network).exit_code == 2  # no --output


class Digamma(keras.layers.Layer):
    def call(self, x):
        return tf.math.digamma(x)
