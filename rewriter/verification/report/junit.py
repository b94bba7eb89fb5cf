"""JUnit XML: one test suite per pair, one test case per case, for CI servers."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from rewriter.atomic import write_bytes
from rewriter.verification.result import VerificationReport

__all__ = ["render", "write"]


def render(report: VerificationReport) -> bytes:
    """The report as UTF-8 XML; findings of level error are listed in the failures of their candidate."""
    root = ElementTree.Element("testsuites", name="rewriter verify")
    for pair in report.pairs:
        failures = sum(not case.passed for case in pair.cases)
        # A candidate that did not run, or whose cases prove nothing, has no failed case of its own.
        unproven = not pair.passed and failures == 0
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"{pair.reference} vs {pair.candidate}" + (" (simulated)" if pair.simulated else ""),
            tests=str(len(pair.cases) + unproven),
            failures=str(failures + unproven),
        )
        reasons = [f.message for f in report.diagnosis if f.candidate in (None, pair.candidate)]
        for case in pair.cases:
            element = ElementTree.SubElement(suite, "testcase", classname=pair.candidate, name=case.name)
            if case.passed:
                continue
            bad = [output for output in case.outputs if not output.passed]
            lines = [f"{o.name}: max|d|/range {o.max_rel:.3g} > {o.tolerance:.3g}" for o in bad] + reasons
            _fail(element, lines)
        if unproven:
            element = ElementTree.SubElement(suite, "testcase", classname=pair.candidate, name="verdict")
            _fail(element, reasons or ["nothing was proved"])
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _fail(element: ElementTree.Element, lines: list[str]) -> None:
    failure = ElementTree.SubElement(element, "failure", message=lines[0])
    failure.text = "\n".join(lines)


def write(report: VerificationReport, path: str | Path) -> None:
    """Write the XML to `path`, whole or not at all."""
    write_bytes(path, render(report))
