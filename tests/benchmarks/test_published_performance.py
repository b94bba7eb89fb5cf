"""Results, targets and the document: computed from what was measured, and from nothing else."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.cases import CASES
from benchmarks.contenders import PEERS
from benchmarks.measure import Run
from benchmarks.plots import draw
from benchmarks.render import DOCUMENT, render, sections
from benchmarks.results import PUBLISHED, CaseResult, Outcome, Point, load, save
from benchmarks.targets import TARGETS, Target, judge
from rewriter.errors import InputError

ENVIRONMENT = {
    "date": "2026-11-23 12:00 UTC",
    "source": "0123456789ab",
    "quick": False,
    "python": "3.11.7",
    "packages": {"onnx": "1.23.2"},
    "cpu": "A processor",
    "cpus": 2,
    "memory_gib": 24,
    "kernel": "6.18",
    "filesystem": "ext4",
}


def _outcome(key: str, *walls: float, memory: float = 50.0, failure: str | None = None) -> Outcome:
    role = "ours" if key.startswith("rewrite") else "peer"
    return Outcome(key, key, role, tuple(Run(wall, wall, memory, memory) for wall in walls), failure)


def _cases(ours: Outcome, base: Outcome) -> dict[str, CaseResult]:
    return {"b": CaseResult(ENVIRONMENT, (Point(1_490_000_000, (ours, base), {}),))}


TIME = Target("time", "wall", 2.0, ("b", "rewrite-no-check"), ("b", "cp"))
MEMORY = Target("memory", "memory", 96, ("b", "rewrite-no-check"))


def test_a_ratio_is_of_medians_and_memory_is_the_largest() -> None:
    ours = _outcome("rewrite-no-check", 9.0, 0.6, 0.8)
    ours = replace(ours, runs=(*ours.runs, Run(0.8, 0.8, 60.0, 97.0)))
    cases = _cases(ours, _outcome("cp", 0.4, 0.4, 5.0))
    time, memory = judge(TIME, cases), judge(MEMORY, cases)
    assert time.value == pytest.approx(2.0) and time.met is True
    assert memory.value == 97.0 and memory.met is False


@pytest.mark.parametrize(
    ("ours", "base", "why"),
    [
        (_outcome("rewrite-no-check", failure="exit code 1"), _outcome("cp", 0.4), "exit code 1"),
        (_outcome("rewrite-no-check", 0.5, failure="exit code 1"), _outcome("cp", 0.4), "exit code 1"),
        (_outcome("rewrite-no-check", 0.5), _outcome("cp"), "did not run"),
        (_outcome("rewrite-no-check", 0.5), _outcome("onnx", 0.4), "does not hold cp"),
    ],
)
def test_what_was_not_measured_is_neither_met_nor_missed(ours: Outcome, base: Outcome, why: str) -> None:
    judgement = judge(TIME, _cases(ours, base))
    assert judgement.value is None and judgement.met is None
    assert judgement.why is not None and why in judgement.why
    assert f"not measured: {judgement.why}" in sections(_cases(ours, base))["targets"]


def test_times_of_two_environments_are_not_compared() -> None:
    small = CaseResult(ENVIRONMENT, (Point(1, (_outcome("rewrite", 1.0),), {}),))
    large = CaseResult({**ENVIRONMENT, "source": "other"}, (Point(1, (_outcome("rewrite", 2.0),), {}),))
    target = next(target for target in TARGETS if target.contender == ("d", "rewrite"))
    assert judge(target, {"a": small, "d": small}).value == pytest.approx(1.0)
    assert (
        judge(target, {"a": small, "d": large}).why == "cases d and a were measured in different environments"
    )


def test_a_failing_peer_and_its_reason_are_in_the_table() -> None:
    peer = _outcome("onnxsim", failure="out of memory at the cap of 15 GiB")
    text = sections(_cases(peer, _outcome("cp", 0.4)))["case-b"]
    assert "| onnxsim | out of memory at the cap of 15 GiB |" in text


def test_growth_is_one_row_for_each_contender() -> None:
    points = (
        Point(1_000, (_outcome("rewrite", 0.5), _outcome("onnxslim", 20.0)), {}),
        Point(2_000, (_outcome("rewrite", 1.5), _outcome("onnxslim", failure="not tried")), {}),
    )
    text = sections({"growth-nodes": CaseResult(ENVIRONMENT, points)})["case-growth-nodes"]
    assert "|  | 1,000 | 2,000 |" in text
    assert "| **rewrite** | 0.500 | 1.50 |" in text
    assert "| onnxslim | 20.0 | not tried |" in text
    assert "| onnxslim | 50 | – |" in text


def test_a_missing_peer_is_named() -> None:
    peer = _outcome("onnxsim", failure="onnxsim is not installed")
    assert "Not installed here: onnxsim." in sections(_cases(peer, _outcome("cp", 0.4)))["case-b"]


def test_a_plot_holds_every_contender_and_is_the_same_each_time(tmp_path: Path) -> None:
    keys = ("rewrite", "cp", *PEERS)
    points = tuple(
        Point(size, tuple(_outcome(key, size * (1 + place)) for place, key in enumerate(keys)), {})
        for size in (10, 1000, 100)
    )
    cases = {"growth-bytes": CaseResult(ENVIRONMENT, points[:2]), "b": CaseResult(ENVIRONMENT, points[2:])}
    assert draw(cases, tmp_path / "one") == [tmp_path / "one" / "growth-bytes.svg"]
    draw(cases, tmp_path / "two")
    text = (tmp_path / "one" / "growth-bytes.svg").read_text()
    assert text == (tmp_path / "two" / "growth-bytes.svg").read_text()
    assert all(f">{key}<" in text for key in keys)


def test_results_survive_the_file(tmp_path: Path) -> None:
    cases = _cases(_outcome("rewrite", 0.5, 0.25), _outcome("cp", failure="exit code 1"))
    path = tmp_path / "results.json"
    save(path, cases)
    assert load(path) == cases
    assert load(tmp_path / "absent.json") == {}


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 7, "cases": {}}'])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError):
        load(path)


def test_a_document_without_a_place_for_a_section_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("<!-- begin: targets -->\n<!-- end: targets -->\n")
    with pytest.raises(InputError, match="no place for section 'case-a'"):
        render({}, document, document)
    document.write_text(DOCUMENT.read_text() + "<!-- begin: other -->\n<!-- end: other -->\n")
    with pytest.raises(InputError, match="unknown section 'other'"):
        render({}, document, document)


def test_the_prose_stays_and_a_second_rendering_changes_nothing(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    cases = _cases(_outcome("rewrite", 0.5), _outcome("cp", 0.4))
    render(cases, DOCUMENT, document)
    once = document.read_text()
    render(cases, document, document)
    assert document.read_text() == once
    marked = re.compile(r"(<!-- begin: .*? -->).*?(<!-- end)", re.DOTALL)
    assert marked.sub(r"\1\2", once) == marked.sub(r"\1\2", DOCUMENT.read_text())


def test_the_document_is_what_the_published_results_say(tmp_path: Path) -> None:
    written = render(load(PUBLISHED), DOCUMENT, tmp_path / DOCUMENT.name)
    for path in written:
        committed = DOCUMENT.parent / path.relative_to(tmp_path)
        if path.suffix == ".svg":
            # Where the curves go depends on the version of matplotlib; that there is a figure does not.
            assert committed.is_file()
        else:
            assert committed.read_text() == path.read_text(), "run `python -m benchmarks render`"


def test_the_published_results_name_no_machine() -> None:
    text = PUBLISHED.read_text()
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text)
    assert not re.search(r"(?<![\w.])/(home|tmp|root|usr|work|opt|var)\b", text)
    assert PUBLISHED.stat().st_size < 200_000


def test_list_names_every_case() -> None:
    result = CliRunner().invoke(main, ["list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(CASES)


def test_an_unknown_case_is_misuse() -> None:
    result = CliRunner().invoke(main, ["run", "--quick", "--case", "a,zz"])
    assert result.exit_code == 2
    assert "no case 'zz'" in result.stderr


def test_commands_of_another_copy_are_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rewriter").mkdir()
    (tmp_path / "rewriter" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = CliRunner().invoke(main, ["run", "--quick", "--case", "e"])
    assert result.exit_code == 2
    assert "another copy" in result.stderr


@pytest.mark.parametrize("case", ["c", "f"])
def test_a_quick_run_measures_and_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "models"
    place.mkdir()
    published = (PUBLISHED.read_bytes(), DOCUMENT.read_bytes(), _figures())
    arguments = ["run", "--quick", "--runs", "1", "--case", case, "--workdir", str(place)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert (
        PUBLISHED.read_bytes(),
        DOCUMENT.read_bytes(),
        _figures(),
    ) == published
    assert list(place.iterdir()) == []
    kept = tmp_path / "build" / "benchmarks"
    (point,) = load(kept / "latest.json")[case].points
    for key in ("rewrite", "rewrite-no-check", "graphsurgeon", "onnx-lazy" if case == "c" else "onnx"):
        outcome = point.outcome(key)
        assert outcome is not None and outcome.failure is None and len(outcome.runs) == 1, outcome
    assert str(tmp_path) not in json.dumps((kept / "latest.json").read_text())
    assert "rewrite --no-check" in (kept / "performance.md").read_text()
    again = CliRunner().invoke(main, [*arguments, "--resume"])
    assert f"{case}: measured already" in again.output


def _figures() -> list[str]:
    return sorted(path.name for path in DOCUMENT.parent.glob("figures/*"))


@pytest.mark.slow
def test_every_target_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = sorted({target.contender[0] for target in TARGETS})
    result = CliRunner().invoke(main, ["run", "--quick", "--runs", "1", "--case", ",".join(keys)])
    cases = load(tmp_path / "build" / "benchmarks" / "latest.json")
    for judgement in (judge(target, cases) for target in TARGETS):
        absent = "is not installed" in result.output and judgement.target.contender[0] not in cases
        assert judgement.value is not None or absent or "not installed" in str(judgement.why), judgement


def test_quick_results_are_not_published(tmp_path: Path) -> None:
    path = tmp_path / "quick.json"
    save(path, {"a": CaseResult({**ENVIRONMENT, "quick": True}, ())})
    result = CliRunner().invoke(main, ["render", "--results", str(path)])
    assert result.exit_code == 2
    assert "quick" in result.stderr
