"""The layer's sources, compiled on this machine: types, objects for iOS, and what they compute."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from rewriter.coreml.customlayer.__main__ import main
from rewriter.coreml.customlayer.cases import random_cases
from rewriter.coreml.customlayer.checking import (
    TOLERANCE,
    check_types,
    compile_for_ios,
    run_cases,
)
from rewriter.coreml.customlayer.toolchain import SOURCES, CompileError, Toolchain, missing_packages
from rewriter.errors import UsageError

needs_compiler = pytest.mark.skipif(
    bool(missing_packages()), reason=f"needs Debian's packages {' '.join(missing_packages())}"
)

REQUIRED = (
    "initWithParameterDictionary",
    "setWeightData",
    "outputShapesForInputShapes",
    "evaluateOnCPUWithInputs",
)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the sources to break."""
    return Path(shutil.copytree(SOURCES, tmp_path / "sources"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


@needs_compiler
def test_sources_compile_and_equal_the_algebra() -> None:
    check_types()
    compile_for_ios()
    result = run_cases(list(random_cases(600, seed=1)))
    assert result.cases == 600
    assert result.cpu <= TOLERANCE
    assert result.kernel <= TOLERANCE
    assert not result.wrong


@needs_compiler
@pytest.mark.parametrize("method", REQUIRED)
def test_a_missing_required_method_fails(method: str, sources: Path) -> None:
    file = sources / "RWAlignedResize.m"
    text = file.read_text()
    body = re.search(rf"^- \([^\n]*\){method}:.*?^}}\n", text, re.MULTILINE | re.DOTALL)
    assert body is not None
    file.write_text(text.replace(body.group(), ""))
    with pytest.raises(CompileError, match=method):
        check_types(sources)
    result = CliRunner().invoke(main, [str(sources), "--cases", "1"])
    assert result.exit_code == 1


@needs_compiler
@pytest.mark.parametrize(
    ("file", "old", "new", "touches_cpu"),
    [
        ("rw_resize.c", "x.over = i * (n_in - 1);", "x.over = i * n_in;", True),
        ("rw_resize.c", "return floor_of(2 * x.over + x.under", "return floor_of(2 * x.over - x.under", True),
        ("RWAlignedResize.m", "from += rest % length *", "from += 0 * rest % length *", True),
        ("RWAlignedResize.m", ".column_taps = columns.taps}", ".column_taps = 1}", False),
        ("rw_resize_index.h", "(length + group - 1) / group", "length / group", False),
    ],
)
def test_a_wrong_layer_is_noticed(file: str, old: str, new: str, touches_cpu: bool, sources: Path) -> None:
    edit(sources / file, old, new)
    result = run_cases(list(random_cases(60, seed=2)), sources)
    assert result.wrong
    assert (result.cpu > TOLERANCE) == touches_cpu


@needs_compiler
def test_warnings_are_errors(sources: Path) -> None:
    edit(
        sources / "RWAlignedResize.m",
        "    return performanceShaders;",
        "    int unused;\n    return performanceShaders;",
    )
    with pytest.raises(CompileError, match="unused"):
        check_types(sources)


@needs_compiler
def test_objects_are_for_arm64(tmp_path: Path) -> None:
    compile_for_ios(target=tmp_path)
    for name in ("RWAlignedResize.o", "rw_resize.o"):
        assert (tmp_path / name).read_bytes()[:8].hex() == "cffaedfe0c000001"
    assert b"outputShapesForInputShapes:error:" in (tmp_path / "RWAlignedResize.o").read_bytes()


def test_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert "apt-get install" in result.output and "clang" in result.output
    with pytest.raises(UsageError):
        from rewriter.coreml.customlayer.toolchain import find_toolchain

        find_toolchain()


def test_toolchain_names_the_compilers_words(tmp_path: Path) -> None:
    if missing_packages():
        pytest.skip("needs the compiler")
    broken = tmp_path / "broken.m"
    broken.write_text("this is not Objective-C\n")
    with pytest.raises(CompileError, match="error:"):
        Toolchain(tmp_path).type_check(broken)
