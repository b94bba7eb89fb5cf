"""JUnit XML: well-formed, and red wherever the verdict is."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from rewriter.cli.verify import command
from rewriter.verification.metrics import compare_outputs
from rewriter.verification.report.junit import render
from rewriter.verification.result import CaseResult, Finding, PairResult, VerificationReport

RAMP = np.linspace(0, 1, 8)


def suite_of(*cases: CaseResult, findings: tuple[Finding, ...] = ()) -> ElementTree.Element:
    pair = PairResult("keras:a", "onnx:<b>&", False, "float32", cases)
    return ElementTree.fromstring(render(VerificationReport((pair,), findings)))[0]


def case(name: str, reference: np.ndarray, candidate: np.ndarray) -> CaseResult:
    return CaseResult(name, (compare_outputs("y", reference, candidate, tolerance=1e-4),))


def test_passed_cases_have_no_failure():
    suite = suite_of(case("ramp", RAMP, RAMP))
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
    assert suite.find(".//failure") is None


def test_a_failed_case_says_by_how_much_and_why():
    why = Finding("node 'up' <samples> half_pixel", candidate="onnx:<b>&")
    suite = suite_of(case("ramp", RAMP, RAMP), case("wave", RAMP, RAMP + 0.5), findings=(why,))
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failed,) = [element for element in suite if element.find("failure") is not None]
    failure = failed.find("failure")
    assert failed.get("name") == "wave" and failed.get("classname") == "onnx:<b>&"
    assert failure is not None and "0.5 > 0.0001" in (failure.get("message") or "")
    assert why.message in (failure.text or "")


@pytest.mark.parametrize(
    "cases", [(), (case("idle", np.zeros(4), np.zeros(4)),)], ids=["not run", "constant"]
)
def test_a_pair_without_a_failed_case_that_did_not_pass_is_red(cases):
    suite = suite_of(*cases, findings=(Finding("onnx:<b>& cannot run", candidate="onnx:<b>&"),))
    assert suite.get("failures") == "1" and suite.get("tests") == str(len(cases) + 1)
    failure = suite.find(".//failure")
    assert failure is not None and failure.get("message") == "onnx:<b>& cannot run"


def test_a_negative_seed_is_wrong_use():
    result = CliRunner().invoke(command, ["a.onnx", "b.onnx", "--seed", "-1"])
    assert result.exit_code == 2 and "--seed" in result.stderr
