"""`rewriter convert --signature`: one of several signatures, named; the others listed where it does not exist."""

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf
from click.testing import CliRunner

from rewriter.cli.convert import command


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def double(self, x):
            return {"doubled": 2.0 * x}

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def triple(self, x):
            return {"tripled": 3.0 * x}

    module, path = Two(), tmp_path_factory.mktemp("saved") / "two"
    tf.saved_model.save(module, str(path), signatures={"double": module.double, "triple": module.triple})
    return path


@pytest.mark.parametrize(
    ("signature", "output", "factor"), [("double", "doubled", 2), ("triple", "tripled", 3)]
)
def test_the_named_signature_is_converted(saved, tmp_path, signature, output, factor):
    target = tmp_path / "out.onnx"
    result = CliRunner().invoke(command, [str(saved), "-o", str(target), "--signature", signature])
    assert result.exit_code == 0, result.output
    graph = onnx.load(target).graph
    assert [[v.name for v in graph.input], [v.name for v in graph.output]] == [["x"], [output]]
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], factor * x)


def test_an_unknown_signature_lists_those_there_are(saved, tmp_path):
    result = CliRunner().invoke(command, [str(saved), "-o", str(tmp_path / "o.onnx"), "--signature", "no"])
    assert result.exit_code == 2
    assert "double, triple" in " ".join(result.output.split())


def test_a_signature_needs_a_saved_model(tmp_path):
    arguments = [str(tmp_path / "m.keras"), "-o", str(tmp_path / "o.onnx"), "--signature", "a"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "only a SavedModel directory has signatures" in " ".join(result.output.split())
