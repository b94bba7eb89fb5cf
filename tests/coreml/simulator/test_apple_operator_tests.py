"""The simulator against the expected values in Apple's own operator tests (see tests/oracles)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rewriter.coreml.simulator.registry import covered_operators
from tests.oracles.triple_exceptions import EXCEPTIONS, find_exception

_ORACLE = Path(__file__).parents[2] / "oracles" / "coremltools_triples.py"


def _records(directory: Path, *options: str) -> list[dict[str, Any]]:
    """Run the oracle in a process of its own: it patches coremltools and freezes the garbage collector."""
    output = directory / "records.json"
    command = [sys.executable, str(_ORACLE), "-o", str(output), *options]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-2000:]
    return json.loads(output.read_text())


def _unexplained(records: list[dict[str, Any]]) -> list[str]:
    return [
        f"{record['status']}: {record['test']}: {record['detail'][-400:]}"
        for record in records
        if record["status"] not in ("matched", "no_expectation") and find_exception(record) is None
    ]


def test_a_sample_of_apples_triples(tmp_path: Path) -> None:
    records = _records(tmp_path, "--per-function", "2")
    assert _unexplained(records) == []
    counts = Counter(record["status"] for record in records)
    assert counts["matched"] >= 380
    matched = {
        operator for record in records if record["status"] == "matched" for operator in record["operators"]
    }
    assert len(matched) >= 120


@pytest.mark.slow
def test_all_of_apples_triples(tmp_path: Path) -> None:
    records = _records(tmp_path)
    assert _unexplained(records) == []
    used = {find_exception(record) for record in records}
    assert [exception.test for exception in EXCEPTIONS if exception not in used] == []
    assert Counter(record["status"] for record in records)["matched"] >= 4700


def test_every_operator_of_coremltools_has_a_kernel() -> None:
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    without_kernel = set(SSAOpRegistry.core_ops) - set(covered_operators())
    # Constants are not operators, and symbols in constants never reach a saved program.
    assert without_kernel == {"const", "_const_symbolic"}
