"""The simulator against the expected values in Apple's own operator tests (see rewriter.scoreboards.coreml_ops)."""

from __future__ import annotations

from typing import Any

import pytest

from rewriter.coreml.simulator.registry import covered_operators
from rewriter.scoreboards import tensorflow_resizes
from rewriter.scoreboards.coreml_op_exceptions import EXCEPTIONS
from rewriter.scoreboards.coreml_op_report import counts, lines, markdown, per_operator
from rewriter.scoreboards.coreml_ops import Outcome, judge, measure


def test_a_sample_of_apples_triples() -> None:
    outcomes = measure(per_function=2)
    found = counts(outcomes)
    assert found["wrong"] == 0, lines(outcomes)
    assert found["matched"] >= 380
    matched = [outcome for outcome in outcomes if outcome.verdict == "matched"]
    assert len(per_operator(matched)) >= 118


@pytest.mark.slow
def test_all_of_apples_triples() -> None:
    outcomes = measure()
    assert counts(outcomes)["wrong"] == 0, lines(outcomes)
    assert counts(outcomes)["matched"] >= 4700
    used = {outcome.reason for outcome in outcomes if outcome.verdict == "excepted"}
    assert [exception.test for exception in EXCEPTIONS if exception.reason not in used] == []


def test_the_list_of_exceptions_is_short_and_each_has_a_reason() -> None:
    assert len(EXCEPTIONS) <= 60
    assert all(exception.reason and exception.detail for exception in EXCEPTIONS)


def _record(**changes: Any) -> dict[str, Any]:
    return {
        "test": "t.py::test_x",
        "status": "matched",
        "operators": ["cast", "relu"],
        "detail": "",
    } | changes


def test_what_differs_is_wrong_unless_it_is_the_named_exception() -> None:
    known = EXCEPTIONS[-1]
    excepted = judge(_record(test=known.test, status=known.status, detail=known.detail))
    assert (excepted.verdict, excepted.reason) == ("excepted", known.reason)
    other = judge(_record(test=known.test, status="mismatched", detail="y: off by 1"))
    assert other.verdict == "wrong"
    assert "off by 1" in other.reason
    assert judge(_record()).verdict == "matched"
    assert judge(_record(status="no_expectation")).verdict == "unjudged"


def test_the_document_counts_per_operator_and_names_what_is_wrong() -> None:
    outcomes = [
        Outcome("a", ("cast", "relu"), "matched", ""),
        Outcome("b|c", ("add", "relu"), "wrong", "off\nby 1"),
        Outcome("d", ("cast",), "matched", ""),
    ]
    text = markdown(outcomes, "9.0", (2, 0))
    assert "| `relu` | 1 | 0 | 0 | 1 |" in text
    assert "| `cast` | 1 | 0 | 0 | 0 |" in text
    assert "| wrong | `b\\|c` | off by 1 |" in text
    assert "at most 2 cases of each test function, drawn with seed 0" in text
    assert lines(outcomes)[0].startswith("3 triples over 3 operators: 2 matched")


def test_every_operator_of_coremltools_has_a_kernel() -> None:
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    without_kernel = set(SSAOpRegistry.core_ops) - set(covered_operators())
    # Constants are not operators, and symbols in constants never reach a saved program.
    assert without_kernel == {"const", "_const_symbolic"}


@pytest.mark.slow
def test_all_of_tensorflows_image_resizing() -> None:
    pytest.importorskip("tensorflow")
    records = tensorflow_resizes.measure()
    assert len(records) >= 880
    assert [record for record in records if record["status"] != "matched"] == []
