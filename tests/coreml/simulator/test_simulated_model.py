"""Loading, calling convention, precision, tracing, states, functions, and every refusal."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import types
from PIL import Image

from rewriter.coreml.simulator import load, registry
from rewriter.errors import InputError, UnsupportedError, UsageError
from tests.coreml.simulator.packages import save_program

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(1, 2, 3, 4)


@pytest.fixture(scope="module")
def affine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    weight = np.arange(8, dtype=np.float32).reshape(4, 2, 1, 1) / 7

    def build(x):
        hidden = mb.conv(x=x, weight=np.tile(weight, (8, 1, 1, 1)), name="hidden")
        return mb.relu(x=hidden, name="y")

    return save_program(tmp_path_factory.mktemp("affine"), {"x": X.shape}, build)


def test_inputs_outputs_and_result(affine: Path) -> None:
    model = load(affine)
    assert [(spec.name, spec.shape, spec.dtype) for spec in model.inputs] == [("x", (1, 2, 3, 4), np.float32)]
    assert [(spec.name, spec.shape, spec.dtype) for spec in model.outputs] == [
        ("y", (1, 32, 3, 4), np.float32)
    ]
    assert model.simulated and model.precision == "as_saved" and model.unproven == []
    weight = np.tile(np.arange(8).reshape(4, 2) / 7, (8, 1))
    want = np.maximum(np.einsum("oc,nchw->nohw", weight, X), 0)
    np.testing.assert_allclose(model.predict({"x": X})["y"], want, atol=1e-6)


def test_trace(affine: Path) -> None:
    model = load(affine)
    assert set(model.predict({"x": X})) == {"y"}
    found = model.predict({"x": X}, trace=["hidden"])
    assert set(found) == {"y", "hidden"}
    np.testing.assert_array_equal(np.maximum(found["hidden"], 0), found["y"])
    assert set(model.predict({"x": X}, trace="all")) >= {"y", "hidden"}
    with pytest.raises(UsageError, match="no tensor 'nothing' to trace"):
        model.predict({"x": X}, trace=["nothing"])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "input 'x' is missing"),
        ({"x": X, "z": X}, "has no input 'z'; its inputs are: x"),
        ({"x": X[0]}, r"input 'x' has shape \[2, 3, 4\], and the model wants \[1, 2, 3, 4\]"),
        ({"x": X.astype(str)}, "input 'x' is <U"),
    ],
)
def test_wrong_inputs(affine: Path, data: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load(affine).predict(data)


def test_integer_input_takes_only_whole_numbers(tmp_path: Path) -> None:
    @mb.program(input_specs=[mb.TensorSpec(shape=(2,), dtype=types.int32)], opset_version=ct.target.iOS17)
    def program(x):
        return mb.add(x=x, y=np.int32(1), name="y")

    path = tmp_path / "int.mlpackage"
    ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS17).save(str(path))
    model = load(path)
    np.testing.assert_array_equal(model.predict({"x": np.array([1.0, 2.0])})["y"], [2, 3])
    with pytest.raises(InputError, match="values that int32 cannot hold"):
        model.predict({"x": np.array([1.5, 2.0])})


def test_float16_rounds_after_each_operator(tmp_path: Path) -> None:
    def build(x):
        return mb.sub(x=mb.add(x=x, y=np.float32(1024)), y=np.float32(1024), name="y")

    package = save_program(tmp_path, {"x": X.shape}, build, precision="float16")
    half = X.astype(np.float16)
    rounded = (half + np.float16(1024)) - np.float16(1024)
    assert not np.array_equal(rounded, half)
    np.testing.assert_array_equal(load(package).predict({"x": X})["y"], rounded.astype(np.float32))
    kept = load(package, precision="float32").predict({"x": X})["y"]
    np.testing.assert_allclose(kept, X, atol=1e-4)


def test_unknown_precision_and_function(affine: Path) -> None:
    with pytest.raises(UsageError, match="precision 'half' is not known"):
        load(affine, precision="half")
    with pytest.raises(UsageError, match="has no function 'other'; its functions are: main"):
        load(affine, function="other")


def test_unknown_operator(affine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert registry.find_kernel("conv") is not None
    monkeypatch.delitem(registry._kernels, "conv")
    with pytest.raises(UnsupportedError, match="node 'hidden': operator conv is not known"):
        load(affine)


def test_unproven_nearest_ratio(tmp_path: Path) -> None:
    def build(x):
        whole = mb.resize_nearest_neighbor(x=x, target_size_height=6, target_size_width=8, name="whole")
        return mb.resize_nearest_neighbor(x=whole, target_size_height=7, target_size_width=8, name="part")

    model = load(save_program(tmp_path, {"x": X.shape}, build))
    assert len(model.unproven) == 1
    assert model.unproven[0].startswith("part: resize_nearest_neighbor: which pixel is nearest")


def test_flexible_shapes(tmp_path: Path) -> None:
    def convert(name: str, shape: object) -> Path:
        @mb.program(input_specs=[mb.TensorSpec(shape=(1, mil_symbol(), 4))], opset_version=ct.target.iOS17)
        def program(x):
            return mb.relu(x=x, name="y")

        path = tmp_path / f"{name}.mlpackage"
        ct.convert(
            program,
            inputs=[ct.TensorType(name="x", shape=shape)],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS17,
        ).save(str(path))
        return path

    ranged = load(convert("range", (1, ct.RangeDim(2, 5), 4)))
    assert ranged.inputs[0].shape == (1, None, 4)
    assert ranged.predict({"x": np.ones((1, 5, 4))})["y"].shape == (1, 5, 4)
    with pytest.raises(InputError, match=r"wants \[1, 2..5, 4\]"):
        ranged.predict({"x": np.ones((1, 6, 4))})
    listed = load(convert("listed", ct.EnumeratedShapes([(1, 2, 4), (1, 6, 4)])))
    assert listed.predict({"x": np.ones((1, 6, 4))})["y"].shape == (1, 6, 4)
    with pytest.raises(InputError, match=r"wants \[1, 2, 4\] or \[1, 6, 4\]"):
        listed.predict({"x": np.ones((1, 4, 4))})


def mil_symbol() -> object:
    from coremltools.converters.mil.mil import get_new_symbol

    return get_new_symbol()


def test_state_lives_between_predictions(tmp_path: Path) -> None:
    @mb.program(
        input_specs=[mb.TensorSpec((2,), dtype=types.fp16), mb.StateTensorSpec((2,), dtype=types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def program(x, total):
        return mb.coreml_update_state(state=total, value=mb.add(x=x, y=mb.read_state(input=total)), name="y")

    path = tmp_path / "state.mlpackage"
    ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18).save(str(path))
    model = load(path)
    assert [(spec.name, spec.shape) for spec in model.states] == [("total", (2,))]
    state = model.make_state()
    step = {"x": np.array([1, 2], np.float16)}
    for turn in (1, 2, 3):
        found = next(iter(model.predict(step, state).values()))
        np.testing.assert_array_equal(found, [turn, 2 * turn])
    np.testing.assert_array_equal(state.read("total"), [3, 6])
    np.testing.assert_array_equal(next(iter(model.predict(step).values())), [1, 2])


def test_functions_of_one_package(tmp_path: Path) -> None:
    packages = {}
    for name, factor in (("double", 2.0), ("triple", 3.0)):
        folder = tmp_path / name
        folder.mkdir()
        packages[name] = save_program(
            folder,
            {"x": (2,)},
            lambda x, factor=factor: mb.mul(x=x, y=np.float32(factor), name="y"),
            target=ct.target.iOS18,
        )
    description = ct.utils.MultiFunctionDescriptor()
    for name, package in packages.items():
        description.add_function(str(package), src_function_name="main", target_function_name=name)
    description.default_function_name = "double"
    both = tmp_path / "both.mlpackage"
    ct.utils.save_multifunction(description, str(both))
    x = np.array([1, 2], np.float32)
    np.testing.assert_array_equal(load(both).predict({"x": x})["y"], [2, 4])
    np.testing.assert_array_equal(load(both, function="triple").predict({"x": x})["y"], [3, 6])


def test_classifier_gives_label_and_probabilities(tmp_path: Path) -> None:
    def build(x):
        return mb.softmax(x=x, axis=-1, name="p")

    package = save_program(
        tmp_path, {"x": (1, 3)}, build, classifier_config=ct.ClassifierConfig(["cat", "dog", "fish"])
    )
    model = load(package)
    found = model.predict({"x": np.log([[0.2, 0.5, 0.3]])})
    assert found["classLabel"] == "dog"
    probabilities = next(value for value in found.values() if isinstance(value, dict))
    assert probabilities == pytest.approx({"cat": 0.2, "dog": 0.5, "fish": 0.3})


@pytest.mark.parametrize("layout", ["RGB", "BGR", "GRAYSCALE"])
def test_image_input(layout: str, tmp_path: Path) -> None:
    channels = 1 if layout == "GRAYSCALE" else 3
    bias = [-1.0, -0.5, 0.25][:channels]
    package = save_program(
        tmp_path,
        {"x": (1, channels, 4, 5)},
        lambda x: mb.mul(x=x, y=np.float32(2), name="y"),
        inputs=[
            ct.ImageType(
                name="x",
                shape=(1, channels, 4, 5),
                scale=1 / 127,
                bias=bias if channels == 3 else bias[0],
                color_layout=ct.colorlayout[layout],
            )
        ],
    )
    model = load(package)
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3)[: 2 + (channels == 3)], np.uint8)
    assert model.inputs[0].shape == picture.shape
    planes = np.atleast_3d(picture)[..., ::-1] if layout == "BGR" else np.atleast_3d(picture)
    want = 2 * (planes.transpose(2, 0, 1)[None] / 127 + np.reshape(bias, (1, channels, 1, 1)))
    np.testing.assert_allclose(model.predict({"x": picture})["y"], want, atol=1e-5)
    np.testing.assert_allclose(model.predict({"x": Image.fromarray(picture)})["y"], want, atol=1e-5)
    with pytest.raises(InputError, match="wants a picture 4 x 5"):
        model.predict({"x": picture[:3]})


def test_tensors_are_freed_after_their_last_use(tmp_path: Path) -> None:
    def build(x):
        for _ in range(12):
            x = mb.sigmoid(x=mb.tanh(x=x))
        return mb.identity(x=x, name="y")

    shape = (1, 4, 256, 256)
    model = load(save_program(tmp_path, {"x": shape}, build))
    data = {"x": np.zeros(shape, np.float32)}
    tracemalloc.start()
    model.predict(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * data["x"].nbytes
