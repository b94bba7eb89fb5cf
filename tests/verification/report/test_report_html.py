"""The HTML page: verdicts, labels, and nothing fetched from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rewriter.verification.report.html import Picture, ReportContext, render, write
from rewriter.verification.result import CaseResult, Finding, OutputResult, PairResult, VerificationReport


def _report(error: float, *, simulated: bool = True) -> VerificationReport:
    output = OutputResult("mask", (1, 8, 8, 1), error, error, 80.0, 1.0, 1e-4, error <= 1e-4)
    pair = PairResult("keras:a", "coreml:b", simulated, "float32", (CaseResult("ramp", (output,)),))
    findings = () if error <= 1e-4 else (Finding("node 'up3' samples half_pixel <b>", node="up3"),)
    return VerificationReport((pair,), findings)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]
        assert tag not in ("script", "link", "iframe")


CONTEXT = ReportContext(
    title="segmenter",
    resizes=[
        {
            "node": "up3",
            "mode": "linear",
            "coordinate_transformation_mode": {"before": "half_pixel", "after": "align_corners"},
            "input_shape": [1, 8, 32, 32],
            "output_shape": [1, 8, 64, None],
            "intent_from": "default",
            "effect": "correction",
            "max_shift_px": 0.25,
            "coreml": "resize_bilinear STRICT_ALIGN_CORNERS",
        }
    ],
    changes=[
        {
            "pass": "normalize-resize",
            "node": "up3",
            "attribute": "coordinate_transformation_mode",
            "old": "half_pixel",
            "new": "align_corners",
            "why": "the default",
            "effect": "correction",
        }
    ],
    picture=Picture(b"\x89PNG", "contours"),
    environment={"onnx": "1.0"},
    facts={"Source": "segmenter.keras"},
)


def test_says_passed_and_simulated() -> None:
    page = render(_report(1e-6), CONTEXT)
    assert ">Passed<" in page
    assert "simulated" in page
    assert "1×8×32×32 → 1×8×64×?" in page


def test_says_failed_and_escapes_the_finding() -> None:
    page = render(_report(0.3), CONTEXT)
    assert ">Failed<" in page
    assert "half_pixel &lt;b&gt;" in page


def test_a_real_run_is_not_called_simulated() -> None:
    assert "simulated on this machine" not in render(_report(1e-6, simulated=False), CONTEXT)


def test_fetches_nothing() -> None:
    parser = _Links()
    page = render(_report(0.3), CONTEXT)
    parser.feed(page)
    assert parser.links and all(link.startswith("data:") for link in parser.links)
    assert not re.search(r"url\(|@import|https?://", page)


def test_is_written_whole(tmp_path: Path) -> None:
    write(_report(1e-6), tmp_path / "report.html", CONTEXT)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


@pytest.mark.parametrize("missing", ["picture", "resizes", "changes"])
def test_optional_parts_may_be_missing(missing: str) -> None:
    context = ReportContext("x", **{k: v for k, v in CONTEXT.__dict__.items() if k not in ("title", missing)})
    assert "</html>" in render(_report(1e-6), context)
