"""Everything that can be opened and run, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from rewriter.errors import InputError, UsageError
from rewriter.tensorspec import TensorSpec
from rewriter.verification import verify
from rewriter.verification.probes import probe_cases, read_cases
from rewriter.verification.runners import open_runner
from tests.verification.small_networks import three_resizes

SPEC = TensorSpec("x", (None, None, 24, 3), np.dtype(np.float32))


@pytest.fixture(scope="module")
def network():  # type: ignore[no-untyped-def]
    pytest.importorskip("tensorflow")
    from rewriter.tensorflow.layers import AlignCornersUpsampling2D
    from tests.tensorflow.tensorflow_networks import keras

    image = keras.Input((12, 12, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = AlignCornersUpsampling2D(2, name="up")(x)
    return keras.Model(image, {"mask": x, "mean": keras.layers.GlobalAveragePooling2D()(x)})


def test_one_network_in_every_format_agrees(network, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from rewriter.coreml.lowering import lower
    from rewriter.tensorflow.convert import convert

    model = convert(network)
    network.save(tmp_path / "network.keras")
    network.save(tmp_path / "network.h5")
    network.export(tmp_path / "exported", verbose=False)
    onnx.save(model, tmp_path / "network.onnx")
    lower(model).save(tmp_path / "network.mlpackage")
    names = ["network.keras", "network.h5", "exported", "network.onnx", "network.mlpackage"]
    runners = [open_runner(tmp_path / name) for name in names]
    assert [runner.kind for runner in runners] == ["keras", "keras", "saved_model", "onnx", "coreml"]
    for reference in runners:
        report = verify(reference, runners)
        assert report.passed, (reference.name, [finding.message for finding in report.diagnosis])
        assert [pair.simulated for pair in report.pairs] == [
            reference.simulated or runner.simulated for runner in runners
        ]


def test_batch_normalisation_runs_in_inference_mode(network) -> None:  # type: ignore[no-untyped-def]
    runner = open_runner(network)
    inputs = {"image": np.random.default_rng(0).normal(5, 3, (2, 12, 12, 3)).astype(np.float32)}
    got = runner.run(inputs)
    assert np.array_equal(got["mask"], np.asarray(network(inputs["image"], training=False)["mask"]))
    assert not np.allclose(got["mask"], np.asarray(network(inputs["image"], training=True)["mask"]))


@pytest.mark.parametrize("name", ["missing.onnx", "notes.txt", "broken.onnx", "broken.npz", "empty"])
def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "broken.onnx").write_bytes(three_resizes().SerializeToString()[:500])
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        open_runner(tmp_path / name)
    assert caught.value.file == str(tmp_path / name) and "\n" not in str(caught.value)


def test_an_object_that_is_no_network() -> None:
    with pytest.raises(UsageError, match="cannot run a int"):
        open_runner(3)


def test_precision_of_onnx_models() -> None:
    from onnx import TensorProto

    model = three_resizes()
    assert open_runner(model).precision == "float32"
    model.graph.value_info.append(onnx.helper.make_tensor_value_info("a", TensorProto.FLOAT, None))
    assert open_runner(model).precision == "float32"
    half = onnx.numpy_helper.from_array(np.zeros(1, np.float16), "half")
    model.graph.initializer.append(half)
    assert open_runner(model).precision == "float16"


def test_golden_files_bring_inputs_and_outputs(tmp_path: Path) -> None:
    model = three_resizes()
    x = np.random.default_rng(0).uniform(size=(1, 3, 16, 16)).astype(np.float32)
    y = open_runner(model).run({"x": x})["y"]
    good, wrong, bare = (tmp_path / name for name in ("good.npz", "wrong.npz", "bare.npz"))
    np.savez(good, **{"a/b/in/x": x, "a/b/out/y": y, "meta": np.array("{}")})
    np.savez(wrong, **{"a/in/x": x, "a/out/y": y + 0.01 * x[:, :1, :1, :1]})
    np.savez(bare, x=x)
    assert verify(good, [model]).passed and verify(model, [good]).passed
    assert not verify(wrong, [model]).passed
    assert [case.name for case in verify(good, [model]).pairs[0].cases] == ["a/b"]
    with pytest.raises(UsageError, match="brings its own inputs"):
        verify(good, [model], inputs=bare)
    with pytest.raises(InputError, match="no CASE/in/NAME"):
        verify(bare, [model])


def test_probes_are_seeded_and_fill_open_lengths() -> None:
    first, again, other = (probe_cases([SPEC], seed) for seed in (0, 0, 1))
    assert set(first) == {"picture", "ramp", "waves", "checkerboard", "impulses", "noise"}
    for case, arrays in first.items():
        x = arrays["x"]
        assert x.shape == (1, 64, 24, 3) and x.dtype == np.float32
        assert 0 <= x.min() < x.max() <= 1
        assert np.array_equal(x, again[case]["x"])
    assert not np.array_equal(first["noise"]["x"], other["noise"]["x"])
    wide = probe_cases([SPEC], 0, low=-1, high=1)["ramp in [-1, 1]"]["x"]
    assert np.allclose(wide, 2 * first["ramp"]["x"] - 1, atol=1e-6)


def test_own_inputs_of_every_kind(tmp_path: Path) -> None:
    from matplotlib.image import imsave

    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    scaled = (pixels / 255).astype(np.float32)[None]
    imsave(tmp_path / "picture.png", pixels)
    np.save(tmp_path / "array.npy", scaled)
    np.savez(tmp_path / "plain.npz", x=scaled)
    np.savez(tmp_path / "cases.npz", **{"one/in/x": scaled, "two/in/x": 1 - scaled, "one/out/y": scaled})
    cases = read_cases(tmp_path, [SPEC])
    assert set(cases) == {"array", "one", "two", "picture", "plain"}
    for name in ("array", "one", "picture", "plain"):
        assert np.allclose(cases[name]["x"], scaled, atol=1e-6), name
    with pytest.raises(InputError, match="does not fit the input 'x'"):
        read_cases(tmp_path / "array.npy", [TensorSpec("x", (1, 8, 8, 3), np.dtype(np.float32))])
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(InputError, match="not a readable picture"):
        read_cases(tmp_path, [SPEC])
