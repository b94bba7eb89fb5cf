"""`rewriter simulate`: files in, files out, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import coremltools as ct
import numpy as np
import pytest
from click.testing import CliRunner
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813

from rewriter.cli.simulate import command
from rewriter.coreml.simulator import registry
from tests.coreml.simulator.packages import save_program


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_program(
        tmp_path_factory.mktemp("package"),
        {"x": (2, 2)},
        lambda x: mb.relu(x=mb.add(x=x, y=np.float32(1), name="sum"), name="y"),
    )


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_golden_layout(package: Path, tmp_path: Path) -> None:
    cases = {
        "a/in/x": np.full((2, 2), 2.0, np.float32),
        "b/b/in/x": np.full((2, 2), -5.0),
        "meta": np.array("{}"),
    }
    np.savez(tmp_path / "in.npz", **cases)
    code, out, _ = invoke(package, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz", "--json", "-")
    assert code == 0
    payload = json.loads(out)
    assert payload["simulated"] is True and payload["cases"] == ["a", "b/b"] and payload["unproven"] == []
    with np.load(tmp_path / "out.npz") as found:
        assert sorted(found.files) == ["a/out/y", "b/b/out/y"]
        np.testing.assert_array_equal(found["a/out/y"], np.full((2, 2), 3.0))
        np.testing.assert_array_equal(found["b/b/out/y"], np.zeros((2, 2)))


def test_plain_names_and_trace(package: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.full((2, 2), -5.0))
    code, _, _ = invoke(
        package, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz", "--trace", "sum"
    )
    assert code == 0
    with np.load(tmp_path / "out.npz") as found:
        assert sorted(found.files) == ["sum", "y"]
        np.testing.assert_array_equal(found["sum"], np.full((2, 2), -4.0))


def test_classifier_outputs_are_arrays(tmp_path: Path) -> None:
    classifier = save_program(
        tmp_path,
        {"x": (1, 2)},
        lambda x: mb.softmax(x=x, axis=-1, name="p"),
        classifier_config=ct.ClassifierConfig(["cat", "dog"]),
    )
    np.savez(tmp_path / "in.npz", x=np.log([[0.25, 0.75]]))
    code, _, _ = invoke(classifier, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz")
    assert code == 0
    with np.load(tmp_path / "out.npz", allow_pickle=False) as found:
        assert str(found["classLabel"]) == "dog"
        (labels,) = (name for name in found.files if name.endswith(".labels"))
        assert found[labels].tolist() == ["cat", "dog"]
        np.testing.assert_allclose(found[labels.removesuffix(".labels")], [0.25, 0.75], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no such file"),
        (b"", "not a readable .npz file"),
        (b"PK\x03\x04 cut off", "not a readable .npz file"),
        ({}, "holds no inputs"),
        ({"z": np.zeros(1)}, "has no input 'z'"),
        ({"x": np.zeros(1)}, "input 'x' has shape [1]"),
        ({"x": np.array([{}], dtype=object)}, "holds pickled objects"),
    ],
)
def test_bad_inputs_leave_nothing(package: Path, tmp_path: Path, content: object, sentence: str) -> None:
    inputs = tmp_path / "in.npz"
    if isinstance(content, bytes):
        inputs.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(inputs, **content)
    before = set(tmp_path.iterdir())
    code, _, err = invoke(package, "--inputs", inputs, "-o", tmp_path / "out.npz")
    assert code == 2
    assert sentence in err and err.startswith("error: ") and err.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


def test_unknown_operator(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((2, 2)))
    assert registry.find_kernel("relu") is not None
    monkeypatch.delitem(registry._kernels, "relu")
    code, out, err = invoke(
        package, "--inputs", tmp_path / "in.npz", "-o", tmp_path / "out.npz", "--json", "-"
    )
    assert code == 2
    error = json.loads(out)["error"]
    assert error["kind"] == "unsupported" and error["node"] == "y" and "relu" in error["message"]
    assert "operator relu is not known to the simulator" in err
    assert not (tmp_path / "out.npz").exists()
