"""One network in every form that TensorFlow writes: the same ONNX values, names and provenance."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from rewriter.cli.main import main
from rewriter.errors import InputError, RewriterError, UnsupportedError, UsageError
from rewriter.tensorflow.convert import convert
from rewriter.tensorflow.layers import AlignCornersUpsampling2D
from rewriter.tensorflow.load import load
from rewriter.verification.runners import open_runner
from tests.tensorflow.tensorflow_networks import run

L = keras.layers
SHAPE = (32, 48, 3)
X = np.random.default_rng(2).random((2, *SHAPE), np.float32)


def unet() -> keras.Model:
    """Two levels down, two align-corners resizes up, skip connections, seeded weights."""
    keras.utils.set_random_seed(5)
    image = keras.Input(SHAPE, name="image")
    a = L.Conv2D(6, 3, padding="same", activation="relu")(image)
    b = L.BatchNormalization()(L.Conv2D(8, 3, padding="same")(L.MaxPool2D()(a)))
    c = L.Conv2D(8, 3, padding="same", activation="relu")(L.MaxPool2D()(L.ReLU()(b)))
    u = L.Concatenate()([AlignCornersUpsampling2D(2, name="up1")(c), b])
    u = L.Conv2D(6, 3, padding="same", activation="relu")(u)
    v = L.Concatenate()([AlignCornersUpsampling2D(2, name="up2")(u), a])
    network = keras.Model(image, L.Conv2D(2, 1, name="mask")(v), name="unet")
    random = np.random.default_rng(4)
    for variable in network.weights:
        values = random.normal(0, 0.4, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
    return network


def function_of(network: Any) -> Any:
    return tf.function(
        lambda image: {"mask": network(image, training=False)},
        input_signature=[tf.TensorSpec((None, *SHAPE), tf.float32, name="image")],
    )


def frozen(network: Any) -> Any:
    return convert_variables_to_constants_v2(
        function_of(network).get_concrete_function()
    ).graph.as_graph_def()


def write_keras(network: Any, folder: Path) -> list[str]:
    network.save(folder / "net.keras")
    return [str(folder / "net.keras")]


def write_h5(network: Any, folder: Path) -> list[str]:
    network.save(folder / "net.h5")
    return [str(folder / "net.h5")]


def write_saved_model(network: Any, folder: Path) -> list[str]:
    network.export(folder / "saved", verbose=False)
    return [str(folder / "saved")]


def write_graph(network: Any, folder: Path) -> list[str]:
    (folder / "net.pb").write_bytes(frozen(network).SerializeToString())
    return [str(folder / "net.pb")]


def write_tflite(network: Any, folder: Path) -> list[str]:
    concrete = function_of(network).get_concrete_function()
    (folder / "net.tflite").write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())
    return [str(folder / "net.tflite")]


def write_weights(network: Any, folder: Path) -> list[str]:
    network.save_weights(folder / "net.weights.h5")
    return ["--builder", "tests.tensorflow.test_every_door:unet", "--weights", str(folder / "net.weights.h5")]


DOORS: dict[str, Callable[[Any, Path], list[str]]] = {
    "keras": write_keras,
    "h5": write_h5,
    "saved_model": write_saved_model,
    "pb": write_graph,
    "tflite": write_tflite,
    "builder and weights": write_weights,
}


def difference(model: onnx.ModelProto, network: Any, x: np.ndarray) -> float:
    (found,) = run(model, {model.graph.input[0].name: x}).values()
    wanted = network(x, training=False).numpy()
    return float(np.abs(found - wanted).max() / np.ptp(wanted))


def align_corners_resizes(model: onnx.ModelProto) -> int:
    (sources,) = [json.loads(e.value) for e in model.metadata_props if e.key == "rewriter.sources"]
    return sum(each["op"] == "ResizeBilinear" and each["align_corners"] for each in sources.values())


@pytest.mark.parametrize("door", DOORS)
def test_every_door_gives_the_same_network(door: str, tmp_path: Path) -> None:
    network = unet()
    arguments = DOORS[door](network, tmp_path)
    result = CliRunner().invoke(main, ["convert", *arguments, "-o", str(tmp_path / "out.onnx")])
    assert result.exit_code == 0, result.output
    model = onnx.load(tmp_path / "out.onnx")
    assert [each.name for each in model.graph.input] == ["image"]
    # TFLite files come with a batch of one; the others keep an open batch.
    assert difference(model, network, X[:1] if door == "tflite" else X) <= 1e-5
    assert align_corners_resizes(model) == 2
    modes = [
        a.s
        for n in model.graph.node
        if n.op_type == "Resize"
        for a in n.attribute
        if a.name.startswith("coord")
    ]
    assert modes == [b"align_corners"] * 2


def test_objects() -> None:
    network = unet()
    function = function_of(network)

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, *SHAPE), tf.float32, name="image")])
        def __call__(self, image: Any) -> Any:
            return network(image, training=False)

    for source in (network, function, function.get_concrete_function(), Module()):
        model = convert(source)
        assert difference(model, network, X) <= 1e-5
        assert align_corners_resizes(model) == 2
    assert [each.name for each in convert(function).graph.output] == ["mask"]
    with pytest.raises(UsageError, match="input_signature"):
        convert(tf.function(lambda x: x + 1))
    with pytest.raises(UsageError, match="cannot convert int"):
        convert(3)


def test_a_sequential_model_that_was_never_called() -> None:
    network = keras.Sequential([L.Input((8, 8, 3)), L.Conv2D(4, 3), L.Activation("gelu"), L.UpSampling2D(2)])
    pixels = np.random.default_rng(1).random((1, 8, 8, 3), np.float32)
    model = convert(network)
    (found,) = open_runner(network).run({network.inputs[0].name: pixels}).values()
    (converted,) = run(model, {model.graph.input[0].name: pixels}).values()
    np.testing.assert_allclose(converted, found, atol=1e-6)


def test_two_inputs_and_two_outputs_keep_their_names(tmp_path: Path) -> None:
    a, b = keras.Input((8, 8, 2), name="left"), keras.Input((8, 8, 2), name="right")
    s = L.Add(name="sum")([a, b])
    network = keras.Model({"left": a, "right": b}, {"total": s, "half": L.Rescaling(0.5, name="scaled")(s)})
    signature = [tf.TensorSpec((None, 8, 8, 2), tf.float32, name=name) for name in ("left", "right")]
    function = tf.function(
        lambda left, right: network({"left": left, "right": right}, training=False), input_signature=signature
    )
    network.save(tmp_path / "net.keras")
    network.export(tmp_path / "saved", verbose=False)
    concrete = function.get_concrete_function()
    (tmp_path / "net.tflite").write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([concrete], network).convert()
    )
    x, y = (np.random.default_rng(seed).random((1, 8, 8, 2), np.float32) for seed in (1, 2))
    for source in (tmp_path / "net.keras", tmp_path / "saved", function):
        model = convert(source)
        assert {each.name for each in model.graph.input} == {"left", "right"}
        found = run(model, {"left": x, "right": y})
        assert set(found) in ({"total", "half"}, {"sum", "scaled"})
        (total,) = [found[name] for name in found if name in ("total", "sum")]
        np.testing.assert_allclose(total, x + y, rtol=1e-6)


def test_shapes_are_kept_open_or_pinned(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3), name="image")
    network = keras.Model(image, AlignCornersUpsampling2D(2)(L.Conv2D(2, 3, padding="same")(image)))
    function = tf.function(
        lambda image: network(image, training=False),
        input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, name="image")],
    )
    graph = convert_variables_to_constants_v2(function.get_concrete_function()).graph.as_graph_def()
    (tmp_path / "net.pb").write_bytes(graph.SerializeToString())
    x = np.random.default_rng(1).random((1, 7, 9, 3), np.float32)
    for source in (network, function, tmp_path / "net.pb"):
        assert difference(convert(source), network, x) <= 1e-5
        pinned = convert(source, shapes={"image": (1, 7, 9, 3)})
        assert [d.dim_value for d in pinned.graph.input[0].type.tensor_type.shape.dim] == [1, 7, 9, 3]
        assert difference(pinned, network, x) <= 1e-5
        with pytest.raises(UsageError):
            convert(source, shapes={"picture": (1, 7, 9, 3)})


def test_inputs_and_outputs_of_a_frozen_graph(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")
        middle = tf.identity(x * 2, name="middle")
        tf.identity(middle + 1, name="end")
    (tmp_path / "g.pb").write_bytes(graph.as_graph_def().SerializeToString())
    value = np.ones((1, 4), np.float32)
    assert run(convert(tmp_path / "g.pb"), {"x": value})["end"].max() == 3
    cut = convert(load(tmp_path / "g.pb", inputs=["middle"], outputs=["end:0"]))
    assert run(cut, {"middle": value})["end"].max() == 2
    with pytest.raises(UsageError, match="no tensor 'nothing:0'"):
        load(tmp_path / "g.pb", outputs=["nothing"])
    with pytest.raises(UsageError, match="only a frozen graph"):
        load(tmp_path / "net.keras", outputs=["y"])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.pb").write_bytes(b"\xff\xff\xff garbage")
    (tmp_path / "bad.tflite").write_bytes(b"0000TFL3 and nothing else")
    (tmp_path / "other.tflite").write_bytes(b"PK something")
    with tf.Graph().as_default() as graph:
        tf.compat.v1.get_variable("v", (2,), use_resource=False)
    (tmp_path / "variables.pb").write_bytes(graph.as_graph_def().SerializeToString())
    for name, reason in [
        ("bad.pb", "not a GraphDef"),
        ("bad.tflite", "TFLite cannot load"),
        ("other.tflite", "not a TFLite file"),
        ("variables.pb", "not frozen"),
        ("missing.pb", "no such file"),
        ("missing.tflite", "no such file"),
    ]:
        with pytest.raises((InputError, UnsupportedError), match=reason):
            load(tmp_path / name)
        result = CliRunner().invoke(main, ["convert", str(tmp_path / name), "-o", str(tmp_path / "out.onnx")])
        assert result.exit_code == 2 and "Traceback" not in result.output
        assert not (tmp_path / "out.onnx").exists()


def test_quantised_tflite_files_are_refused(tmp_path: Path) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(unet())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([X[:1]] for _ in range(2))
    (tmp_path / "q.tflite").write_bytes(converter.convert())
    with pytest.raises(UnsupportedError, match="quantised"):
        convert(tmp_path / "q.tflite")


@pytest.mark.parametrize("door", ["pb", "tflite"])
def test_verification_runs_them(door: str, tmp_path: Path) -> None:
    network = unet()
    (path,) = DOORS[door](network, tmp_path)
    runner = open_runner(path)
    (found,) = runner.run({"image": X[:1]}).values()
    np.testing.assert_allclose(found, network(X[:1], training=False), atol=1e-5)
    out = str(tmp_path / "out.onnx")
    assert CliRunner().invoke(main, ["convert", path, "-o", out]).exit_code == 0
    result = CliRunner().invoke(main, ["verify", path, out])
    assert result.exit_code == 0, result.output


VARIANTS = """
import keras, tensorflow as tf

class BilinearUpsampling(keras.layers.Layer):
    def __init__(self, upsampling=(2, 2), output_size=None, **kwargs):
        super().__init__(**kwargs)
        self.upsampling, self.output_size = tuple(upsampling), output_size
    def call(self, x):
        size = self.output_size or (x.shape[1] * self.upsampling[0], x.shape[2] * self.upsampling[1])
        return tf.compat.v1.image.resize_bilinear(x, size, align_corners=True)
    def get_config(self):
        return {**super().get_config(), "upsampling": self.upsampling, "output_size": self.output_size}

class Interp(keras.layers.Layer):
    def __init__(self, new_size, **kwargs):
        super().__init__(**kwargs)
        self.new_size = list(new_size)
    def call(self, x):
        return tf.compat.v1.image.resize_images(x, self.new_size, align_corners=True)
    def get_config(self):
        return {**super().get_config(), "new_size": self.new_size}

class ResizeLike(keras.layers.Layer):
    def call(self, pair):
        return tf.compat.v1.image.resize_bilinear(pair[0], tf.shape(pair[1])[1:3], align_corners=True)
    def compute_output_shape(self, shapes):
        return (*shapes[1][:3], shapes[0][3])
"""


def test_hand_written_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "article_layers.py").write_text(textwrap.dedent(VARIANTS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    import article_layers as own  # type: ignore[import-not-found]

    image = keras.Input((8, 10, 3), name="image")
    x = own.BilinearUpsampling((2, 3))(image)
    x = own.Interp((11, 13))(x)
    network = keras.Model(image, own.ResizeLike()([x, image]))
    network.save("net.keras")
    names = ("BilinearUpsampling", "Interp", "ResizeLike")
    given = [part for name in names for part in ("--custom-object", f"article_layers:{name}")]
    refused = CliRunner().invoke(main, ["convert", "net.keras", "-o", "out.onnx", *given[:4]])
    assert refused.exit_code == 2 and "--custom-object pkg.module:ResizeLike" in " ".join(
        refused.output.split()
    )
    result = CliRunner().invoke(main, ["convert", "net.keras", "-o", "out.onnx", *given])
    assert result.exit_code == 0, result.output
    model = onnx.load("out.onnx")
    pixels = np.random.default_rng(1).random((1, 8, 10, 3), np.float32)
    assert difference(model, network, pixels) <= 1e-5
    assert align_corners_resizes(model) == 3


def test_lambda_layers_run_only_on_request(tmp_path: Path) -> None:
    image = keras.Input((8, 10, 3), name="image")
    network = keras.Model(image, L.Lambda(lambda x: x * 2.0, output_shape=(8, 10, 3))(image))
    network.save(tmp_path / "net.keras")
    out = str(tmp_path / "out.onnx")
    refused = CliRunner().invoke(main, ["convert", str(tmp_path / "net.keras"), "-o", out])
    assert refused.exit_code == 2 and "Lambda" in refused.output and "--unsafe" in refused.output
    allowed = CliRunner().invoke(main, ["convert", str(tmp_path / "net.keras"), "-o", out, "--unsafe"])
    assert allowed.exit_code == 0, allowed.output


def test_batch_statistics_are_refused(tmp_path: Path) -> None:
    image = keras.Input((16, 16, 3), name="image")
    x = L.Conv2D(4, 3)(L.Resizing(12, 12)(image))
    network = keras.Model(image, L.BatchNormalization(name="norm")(x))
    network.export(tmp_path / "saved", verbose=False)  # Keras 3.15 exports the training mode here
    with pytest.raises(RewriterError, match="statistics of the batch"):
        convert(tmp_path / "saved")
    network.save(tmp_path / "net.keras")
    pixels = np.random.default_rng(1).random((2, 16, 16, 3), np.float32)
    assert difference(convert(tmp_path / "net.keras"), network, pixels) <= 1e-5
