"""What has to hold, and whether the measurements say that it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.environment import same_environment
from benchmarks.results import CaseResult, Outcome

__all__ = ["TARGETS", "Judgement", "Target", "judge"]


@dataclass(frozen=True)
class Target:
    """One limit.

    Attributes:
        text: what is limited.
        metric: ``wall`` in seconds, ``memory`` in MiB.
        limit: at most this.
        contender: case and key of what is measured.
        base: case and key of what it is divided by; None for an absolute limit.
        informative: nobody asked for it; shown beside the others.
    """

    text: str
    metric: str
    limit: float
    contender: tuple[str, str]
    base: tuple[str, str] | None = None
    informative: bool = False


@dataclass(frozen=True)
class Judgement:
    """A target with what was measured.

    Attributes:
        value: a ratio, seconds or MiB; None when it was not measured.
        why: why there is no value.
    """

    target: Target
    value: float | None
    why: str | None = None

    @property
    def met(self) -> bool | None:
        """None when it was not measured."""
        return None if self.value is None else self.value <= self.target.limit


TARGETS = (
    Target("b: `rewrite --no-check`, time against `cp`", "wall", 2.0, ("b", "rewrite-no-check"), ("b", "cp")),
    Target("b: `rewrite --no-check`, peak memory", "memory", 96, ("b", "rewrite-no-check")),
    Target("b: `rewrite`, time against `cp`", "wall", 3.0, ("b", "rewrite"), ("b", "cp")),
    Target("c: `rewrite`, time", "wall", 1.5, ("c", "rewrite")),
    Target("c: `rewrite`, peak memory", "memory", 128, ("c", "rewrite")),
    Target(
        "a: `rewrite`, time against onnx-graphsurgeon's import and export",
        "wall",
        1.0,
        ("a", "rewrite"),
        ("a", "graphsurgeon-unchanged"),
    ),
    Target(
        "a: `rewrite`, time against onnx-graphsurgeon's import, cleanup and export",
        "wall",
        2.0,
        ("a", "rewrite"),
        ("a", "graphsurgeon-cleanup"),
    ),
    Target("d: `rewrite`, time against a", "wall", 12.0, ("d", "rewrite"), ("a", "rewrite")),
    Target(
        "e: `rewrite --help`, time against `import click`",
        "wall",
        1.5,
        ("e", "rewrite-help"),
        ("e", "import-click"),
    ),
    Target(
        "e: `rewrite small.onnx`, time against `import onnx`",
        "wall",
        2.5,
        ("e", "rewrite"),
        ("e", "import-onnx"),
    ),
    Target(
        "simulator: MobileNetV2, time of a prediction against onnxruntime",
        "wall",
        5.0,
        ("simulator", "simulator"),
        ("simulator", "onnxruntime-predicts"),
    ),
    Target(
        "simulator: MobileNetV2, peak memory against onnxruntime",
        "memory",
        3.0,
        ("simulator", "simulator"),
        ("simulator", "onnxruntime-predicts"),
    ),
    Target(
        "coreml: ResNet50, ONNX to package against coremltools from TensorFlow",
        "wall",
        1.0,
        ("coreml", "lowering"),
        ("coreml", "coremltools"),
    ),
    Target(
        "diagnosis: `rewriter verify`, time against Polygraphy's",
        "wall",
        1.0,
        ("diagnosis", "verify"),
        ("diagnosis", "polygraphy"),
    ),
    Target("c: `rewrite --no-check`, time", "wall", 1.5, ("c", "rewrite-no-check"), informative=True),
    Target(
        "c: `rewrite --no-check`, peak memory", "memory", 128, ("c", "rewrite-no-check"), informative=True
    ),
    Target(
        "a: `rewrite --no-check`, time against onnx-graphsurgeon's import and export",
        "wall",
        1.0,
        ("a", "rewrite-no-check"),
        ("a", "graphsurgeon-unchanged"),
        informative=True,
    ),
    Target(
        "d: `rewrite --no-check`, time against a",
        "wall",
        12.0,
        ("d", "rewrite-no-check"),
        ("a", "rewrite-no-check"),
        informative=True,
    ),
    Target(
        "e: `rewrite --no-check small.onnx`, time against `import onnx`",
        "wall",
        2.5,
        ("e", "rewrite-no-check"),
        ("e", "import-onnx"),
        informative=True,
    ),
)


def judge(target: Target, cases: Mapping[str, CaseResult]) -> Judgement:
    """Compute the value of a target; a run that failed is not a measurement."""
    try:
        value = _value(target.contender, target.metric, cases)
        if target.base is not None:
            _require_one_environment(target.contender[0], target.base[0], cases)
            value /= _value(target.base, target.metric, cases)
    except _NotMeasuredError as reason:
        return Judgement(target, None, str(reason))
    return Judgement(target, value)


class _NotMeasuredError(Exception):
    pass


def _value(which: tuple[str, str], metric: str, cases: Mapping[str, CaseResult]) -> float:
    outcome = _outcome(which, cases)
    if outcome.failure is not None:
        raise _NotMeasuredError(f"{outcome.label}: {outcome.failure}")
    value = outcome.middle(metric)
    if value is None:
        raise _NotMeasuredError(f"{outcome.label} did not run")
    return value


def _outcome(which: tuple[str, str], cases: Mapping[str, CaseResult]) -> Outcome:
    case, key = which
    if case not in cases:
        raise _NotMeasuredError(f"case {case} was not measured")
    outcome = cases[case].points[0].outcome(key)
    if outcome is None:
        raise _NotMeasuredError(f"case {case} does not hold {key}")
    return outcome


def _require_one_environment(one: str, other: str, cases: Mapping[str, CaseResult]) -> None:
    """Times of different machines, versions or states of the code are not divided by each other."""
    both = [cases[case].environment for case in (one, other) if case in cases]
    if len(both) == 2 and not same_environment(*both):
        raise _NotMeasuredError(f"cases {one} and {other} were measured in different environments")
