"""Nothing that differs between two files goes unseen, and nothing else is reported."""

from __future__ import annotations

import copy
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from rewriter.cli.diff import command
from rewriter.difference import compare_files
from rewriter.difference.matching import match, out_of_order
from rewriter.model import loading, skeleton
from tests.model.every_field import UNKNOWN, model_with_every_field
from tests.model.large_models import large_model
from tests.model.onnx_models import everything, info, make_model, tensor


def _found(a: onnx.ModelProto, b: onnx.ModelProto, directory: Path) -> list[str]:
    for name, proto in (("a.onnx", a), ("b.onnx", b)):
        (directory / name).write_bytes(proto.SerializeToString())
    result = compare_files(directory / "a.onnx", directory / "b.onnx")
    assert result.is_identical == (a.SerializeToString() == b.SerializeToString())
    return [str(entry) for entry in result.found]


def _places(message: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], str]]:
    """One place for each field of each message type, the shallowest that there is."""
    found: dict[tuple[str, str], tuple[tuple[Any, ...], str]] = {}
    waiting = [(message, path)]
    while waiting:
        current, where = waiting.pop(0)
        for entry, value in current.ListFields():
            found.setdefault((current.DESCRIPTOR.full_name, entry.name), (where, entry.name))
            if entry.message_type is None:
                continue
            for index, inner in enumerate(value if entry.is_repeated else [value]):
                if len(where) < 8:
                    waiting.append((inner, (*where, (entry.name, index if entry.is_repeated else None))))
    return list(found.values())


def _at(message: Any, path: tuple[Any, ...]) -> Any:
    for name, index in path:
        message = getattr(message, name) if index is None else getattr(message, name)[index]
    return message


def _mutate(message: Any, name: str) -> None:
    """Another value for a field, or one entry less."""
    entry = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if entry.is_repeated:
        del value[0]
    elif entry.message_type is not None:
        message.ClearField(name)
    elif entry.enum_type is not None:
        setattr(message, name, entry.enum_type.values[2 if len(entry.enum_type.values) > 2 else 0].number)
    elif isinstance(value, (str, bytes)):
        setattr(message, name, value + ("!" if isinstance(value, str) else b"!"))
    else:
        setattr(message, name, value + 1)


@pytest.mark.parametrize(
    ("large", "share"), [(False, 4), (True, 1), pytest.param(False, 1, marks=pytest.mark.slow)]
)
def test_a_change_of_any_field_of_any_message_is_seen(
    large: bool, share: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(loading, "_SMALL_FILE", 0)
        monkeypatch.setattr(skeleton, "_LARGE", 4)
    original = everything() if large else model_with_every_field()
    places = _places(original)
    assert len(places) > (60 if large else 130)
    unseen = []
    for path, name in places[::share]:
        changed = copy.deepcopy(original)
        _mutate(_at(changed, path), name)
        if name in ("ir_version", "opset_import", "graph") and not path:
            continue  # it would be no model any more
        if not _found(original, changed, tmp_path):
            unseen.append((path, name))
    assert not unseen
    assert not _found(original, copy.deepcopy(original), tmp_path)


def test_unknown_fields_at_every_level_are_compared(tmp_path: Path) -> None:
    a = everything()
    for message in (lambda m: m, lambda m: m.graph, lambda m: m.graph.node[0], lambda m: m.functions[0]):
        b = copy.deepcopy(a)
        message(b).MergeFromString(UNKNOWN)
        assert any("unknown to onnx" in line for line in _found(a, b, tmp_path))


def _model(**words: Any) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Resize", ["a", "", "s"], ["y"], name="up", **words),
    ]
    weights = [tensor("s", [1, 1, 2, 2])]
    return make_model(nodes, [info("x", [1, 1, 2, 2])], [info("y", [1, 1, 4, 4])], weights)


def test_differences_read_as_sentences(tmp_path: Path) -> None:
    a, b = _model(mode="linear"), _model(mode="cubic", coordinate_transformation_mode="half_pixel")
    b.opset_import[0].version = 19
    b.graph.initializer[0].CopyFrom(tensor("s", [1, 1, 2, 3]))
    b.graph.node[0].name = "other"
    b.graph.node.insert(1, helper.make_node("Neg", ["a"], ["b"], name="new"))
    assert _found(a, b, tmp_path) == [
        "opset_import ai.onnx version: 18 → 19",
        "main 'first': name: first → other",
        "main 'up': attribute mode: linear → cubic",
        "main 'up': attribute coordinate_transformation_mode added: half_pixel (its default)",
        "main 'new': node added: Neg(a) → b",
        "main: initializer s data: [1.0, 1.0, 2.0, 2.0] → [1.0, 1.0, 2.0, 3.0]",
    ]


def test_subgraphs_and_functions_have_paths(tmp_path: Path) -> None:
    a, b = everything(), everything()
    owner = next(node for node in b.graph.node if node.op_type == "If")
    branch = next(each for each in owner.attribute if each.g.name == "then")
    branch.g.node[0].doc_string += "!"
    b.functions[0].node[0].op_type = "Other"
    lines = _found(a, b, tmp_path)
    assert any(line.startswith(f"main/{owner.name or owner.output[0]}/{branch.name} ") for line in lines)
    assert any(line.startswith("function:") and "op_type" in line for line in lines)
    assert len(lines) == 2


def test_a_node_that_only_moved_is_said_to_have_moved(tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(9)]
    nodes = [helper.make_node("Neg", ["x"], [f"o{name}"], name=name) for name in names]
    a = make_model(nodes, [info("x", [1])], [info("on0", [1])])
    b = make_model([*nodes[:2], *nodes[3:7], nodes[2], *nodes[7:]], [info("x", [1])], [info("on0", [1])])
    assert _found(a, b, tmp_path) == ["main 'n2': node moved from place 2 to 6"]


def test_other_bytes_that_say_the_same(tmp_path: Path) -> None:
    proto = _model()
    fields = proto.SerializeToString()
    head = onnx.ModelProto(ir_version=proto.ir_version).SerializeToString()
    assert fields.startswith(head)
    (tmp_path / "a.onnx").write_bytes(fields)
    (tmp_path / "b.onnx").write_bytes(fields[len(head) :] + head)
    result = compare_files(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert result.same_content
    assert not result.is_identical
    assert [str(entry) for entry in result.found] == ["the same content in other bytes, from byte 0 on"]


def test_the_same_values_in_another_field(tmp_path: Path) -> None:
    a, b = _model(), _model()
    b.graph.initializer[0].CopyFrom(helper.make_tensor("s", onnx.TensorProto.FLOAT, [4], [1, 1, 2, 2]))
    lines = _found(a, b, tmp_path)
    assert len(lines) == 1
    assert "raw_data" in lines[0]
    assert "float_data" in lines[0]


def test_one_byte_of_a_large_weight(tmp_path: Path) -> None:
    for name in ("a", "b"):
        large_model(tmp_path / f"{name}.onnx", 24, tensors=3)
    with (tmp_path / "b.onnx").open("r+b") as stream:
        stream.seek(20 << 20)
        stream.write(b"\x07")
    (line,) = (str(e) for e in compare_files(tmp_path / "a.onnx", tmp_path / "b.onnx").found)
    assert line.startswith("main: initializer w2 data")
    (tmp_path / "b.onnx").unlink()
    (tmp_path / "b.onnx").write_bytes((tmp_path / "a.onnx").read_bytes())
    assert compare_files(tmp_path / "a.onnx", tmp_path / "b.onnx").is_identical


def test_external_data_is_compared(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        proto = make_model(
            [helper.make_node("Add", ["x", "w"], ["y"])],
            [info("x", [400])],
            [info("y", [400])],
            [tensor("w", np.full(400, value))],
        )
        onnx.save(proto, tmp_path / name / "m.onnx", save_as_external_data=True, location="m.data")
    assert (tmp_path / "a/m.onnx").read_bytes() == (tmp_path / "b/m.onnx").read_bytes()
    (line,) = (str(e) for e in compare_files(tmp_path / "a/m.onnx", tmp_path / "b/m.onnx").found)
    assert line == "main: initializer w data: data → 400 of 400 elements differ, by up to 1"


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_weights_are_not_held_in_memory(tmp_path: Path) -> None:
    for name in ("a", "b"):
        large_model(tmp_path / f"{name}.onnx", 150, filled=False)
    with (tmp_path / "b.onnx").open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"!")
    code = (
        "import re, sys\nfrom pathlib import Path\nfrom rewriter.difference import compare_files\n"
        "found = compare_files(sys.argv[1], sys.argv[2]).found\nassert len(found) == 1, found\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) >> 10 <= 96


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(8)), dropped=st.sets(st.integers(0, 7)))
def test_matching_is_by_name_and_moves_are_few(order: list[int], dropped: set[int]) -> None:
    a, b = list(range(8)), [each for each in order if each not in dropped]
    pairs = match(a, b, [lambda each: each])
    assert {(a[i], b[j]) for i, j in pairs} == {(each, each) for each in b}
    moved = out_of_order(pairs)
    stays = [pair for pair in pairs if pair not in moved]
    assert all(x[1] < y[1] for x, y in itertools.pairwise(stays))
    # No larger set could have stayed: compare with the quadratic algorithm.
    longest = [1] * len(pairs)
    for i, (_, place) in enumerate(pairs):
        longest[i] = 1 + max((longest[j] for j in range(i) if pairs[j][1] < place), default=0)
    assert len(stays) == max(longest, default=0)


def test_the_command(tmp_path: Path) -> None:
    for name, proto in (("a.onnx", _model(mode="linear")), ("b.onnx", _model(mode="cubic"))):
        onnx.save(proto, tmp_path / name)
    run = CliRunner().invoke
    same = run(command, [str(tmp_path / "a.onnx"), str(tmp_path / "a.onnx")])
    assert (same.exit_code, same.output) == (0, "the files are identical\n")
    other = run(command, [str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), "--json", "-"])
    assert other.exit_code == 1
    report = json.loads(other.stdout)
    assert not report["identical"]
    assert report["differences"] == [
        {
            "kind": "changed",
            "graph": "main",
            "node": "up",
            "what": "attribute mode",
            "old": "linear",
            "new": "cubic",
            "same_meaning": False,
        }
    ]
    ignored = run(command, [str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), "--ignore", "attribute *"])
    assert ignored.exit_code == 0
    missing = run(command, [str(tmp_path / "a.onnx"), str(tmp_path / "c.onnx")])
    assert missing.exit_code == 2
    assert "no such file" in missing.stderr
