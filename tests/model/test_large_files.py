"""Large tensors stay in the file: nothing holds them in memory, and every byte of them arrives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import passes
from rewriter.checking import examine
from rewriter.errors import InputError
from rewriter.model import Model, loading, skeleton
from tests.model.large_models import large_model
from tests.model.onnx_models import everything, info, make_model, resize_model, tensor
from tests.model.test_model_lossless import EDITS, WHEEL_DATA, _edit

FEW_MEGABYTES = 96


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tensor with four bytes of data or more is left in the file."""
    monkeypatch.setattr(loading, "_SMALL_FILE", 0)
    monkeypatch.setattr(skeleton, "_LARGE", 4)


@pytest.mark.usefixtures("everything_is_large")
def test_files_of_the_onnx_wheel_come_back_unchanged(tmp_path: Path) -> None:
    left_in_the_file = 0
    for file in sorted(WHEEL_DATA.glob("**/model.onnx")):
        model = Model.load(file)
        left_in_the_file += len(model.source.holes)
        assert model.to_proto() == onnx.load(file)
        model.graph.nodes[0].name += "!"
        model.graph.nodes[0].name = model.graph.nodes[0].name[:-1]
        model.save(tmp_path / "out.onnx")
        assert (tmp_path / "out.onnx").read_bytes() == file.read_bytes(), file
    assert left_in_the_file > 100


@pytest.mark.usefixtures("everything_is_large")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.sampled_from(EDITS), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_edits_equal_edits_of_the_message(
    edits: list[str], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    random = np.random.default_rng(seed)
    file = tmp_path_factory.mktemp("edits") / "m.onnx"
    onnx.save(everything(), file)
    model, expected = Model.load(file), everything()
    assert len(model.source.holes) >= 5
    for edit in edits:
        _edit(edit, random, model, model.graph, expected, expected.graph)
    model.save(file.with_name("out.onnx"))
    assert onnx.load(file.with_name("out.onnx"), load_external_data=False) == expected
    assert model.to_proto() == expected
    assert not model.fresh().is_edited


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize("field", ["raw", "float", "int32", "int64", "uint64", "double"])
def test_every_data_field_is_read_and_copied(field: str, tmp_path: Path) -> None:
    dtype = np.dtype({"raw": "float32", "float": "float32"}.get(field, field))
    values = np.arange(-20, 20).astype(dtype)
    code = helper.np_dtype_to_tensor_dtype(dtype)
    weight = (
        numpy_helper.from_array(values, "w")
        if field == "raw"
        else helper.make_tensor("w", code, values.shape, values.tolist())
    )
    proto = make_model([helper.make_node("Identity", ["w"], ["y"])], [], [info("y", [40], code)], [weight])
    onnx.save(proto, tmp_path / "m.onnx")
    model = Model.load(tmp_path / "m.onnx")
    assert len(model.source.holes) == 1
    assert not model.original.graph.initializer[0].raw_data
    (constant,) = model.graph.nodes[0].inputs
    np.testing.assert_array_equal(constant._values.load(), values)
    constant.name = "renamed"
    weight.name = proto.graph.node[0].input[0] = "renamed"
    proto.graph.initializer[0].CopyFrom(weight)
    assert model.to_proto() == proto
    assert examine(model).accepted


@pytest.mark.usefixtures("everything_is_large")
def test_a_reference_proto_reads_its_weights_from_the_original(tmp_path: Path) -> None:
    import onnxruntime

    weight = tensor("w", np.arange(16).reshape(1, 1, 4, 4))
    proto = resize_model([1, 1, 4, 4], [1, 1, 8, 8], scales=[1, 1, 2, 2], mode="linear")
    proto.graph.node[0].input[0] = "sum"
    proto.graph.node.insert(0, helper.make_node("Add", ["x", "w"], ["sum"]))
    proto.graph.initializer.append(weight)
    onnx.save(proto, tmp_path / "m.onnx")
    model = Model.load(tmp_path / "m.onnx")
    passes.run(model)
    model.save(tmp_path / "out.onnx")
    (tmp_path / "sidecar.onnx").write_bytes(model.to_reference_proto().SerializeToString())
    feeds = {"x": np.ones((1, 1, 4, 4), np.float32)}
    outputs = [
        onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"]).run(
            None, feeds
        )
        for name in ("sidecar.onnx", "out.onnx")
    ]
    np.testing.assert_array_equal(outputs[0][0], outputs[1][0])


@pytest.mark.usefixtures("everything_is_large")
def test_data_of_a_wrong_length_is_found_without_reading_it(tmp_path: Path) -> None:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[8], raw_data=bytes(28))
    proto = make_model([helper.make_node("Identity", ["w"], ["y"])], [], [info("y", [8])], [weight])
    onnx.save(proto, tmp_path / "m.onnx")
    verdict = examine(Model.load(tmp_path / "m.onnx"))
    assert verdict.error is not None
    assert "'w' has 28 bytes of data where its shape needs 32" in verdict.error


def test_a_file_that_changes_meanwhile_is_not_mixed_with_the_new_one(tmp_path: Path) -> None:
    file, target = tmp_path / "m.onnx", tmp_path / "out.onnx"
    large_model(file, 4)
    model = Model.load(file)
    passes.run(model)
    with file.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"!")
    with pytest.raises(InputError, match="changed while it was read"):
        model.save(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx"]


def test_a_file_that_is_replaced_meanwhile_is_still_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    large_model(file, 4)
    old = file.read_bytes()
    model = Model.load(file)
    (tmp_path / "other").write_bytes(b"something else")
    (tmp_path / "other").replace(file)
    assert model.to_bytes() == old
    model.save(file)
    assert file.read_bytes() == old


def _rewrite(*arguments: object) -> tuple[int, int]:
    """Exit code of a `rewrite` process, and its peak resident memory in MiB."""
    # Not wait4: what it tells includes the memory of the process that made this one.
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from rewriter.cli.rewrite import main\n"
        "try:\n    main(sys.argv[1:], standalone_mode=False)\n"
        "except SystemExit as done:\n    code = done.code\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    return done.returncode, int(done.stderr.split()[-1]) >> 10


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")


@needs_proc
def test_a_rewrite_holds_no_weight_in_memory(tmp_path: Path) -> None:
    file, target = tmp_path / "m.onnx", tmp_path / "out.onnx"
    large_model(file, 150)
    code, peak = _rewrite(file, "-o", target, "--no-check")
    assert code == 0
    assert 20 < peak <= FEW_MEGABYTES
    before, after = file.read_bytes(), target.read_bytes()
    assert len(before) > 149 << 20
    # Behind the node everything is the same, byte for byte.
    data = before.index(b"\x42\x02w0")
    assert before[data:] in after
    assert onnx.load(target).graph.node[0].attribute != onnx.load(file).graph.node[0].attribute


@needs_proc
@pytest.mark.slow
def test_a_single_file_of_more_than_2_gib(tmp_path: Path) -> None:
    file, target = tmp_path / "m.onnx", tmp_path / "out.onnx"
    large_model(file, 2500, filled=False)
    code, peak = _rewrite(file, "-o", target)
    assert (code, peak <= 2 * FEW_MEGABYTES) == (0, True)
    assert target.stat().st_size > 2**31


def test_damage_in_a_large_file_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    large_model(file, 2)
    data = file.read_bytes()
    cases = {
        "truncated": data[:-1000],
        "not an ONNX model": b"\x00" + data[1:],
        "the graph in the file is damaged": data.replace(b"\x22\x06Resize", b"\x22\x7fResize", 1)[
            : len(data)
        ],
    }
    assert all(case != data for case in cases.values())
    for message, damaged in cases.items():
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=message):
            Model.load(file)
