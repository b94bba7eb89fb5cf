"""What can be said of an ONNX file without running anything: does each resize do what is recorded of it?

Nothing here imports a runtime. Equality is decided by the algebra at the shapes of the model; at open lengths, where
nothing is proved, other attributes count as different.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from passes.resize.proof import compare_cached, spelled_out
from rewriter.batch_statistics import find_batch_statistics
from rewriter.errors import UnsupportedError, UsageError
from rewriter.intent import Intents
from rewriter.model import Model, ResizeNode
from rewriter.verification.batch_statistics import finding_of
from rewriter.verification.result import Finding

__all__ = ["CheckedResize", "StaticReport", "check_static"]

_REST = ("cubic_coeff_a", "exclude_outside", "antialias")
"""Attributes that decide what a resize computes, beside its mode, grid and rounding."""


@dataclass(frozen=True)
class CheckedResize:
    """One resize.

    Attributes:
        graph, node: where it is.
        samples: what it computes.
        should: what it should compute; None where nothing is known of that.
        because: where that is known from.
        same: whether both are the same; None where there is nothing to compare with.
    """

    graph: str
    node: str
    samples: str
    should: str | None
    because: str
    same: bool | None

    def to_json(self) -> dict[str, Any]:
        return {
            "graph": self.graph,
            "node": self.node,
            "samples": self.samples,
            "should": self.should,
            "because": self.because,
            "same": self.same,
        }


@dataclass(frozen=True)
class StaticReport:
    """Every resize of one file, and what is wrong.

    Attributes:
        model: its path.
        resizes: in file order.
        diagnosis: one finding per resize that is not what it should be.
    """

    model: str
    resizes: tuple[CheckedResize, ...]
    diagnosis: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Nothing is wrong, and something could have been: at least one resize had something to be held against."""
        return not self.diagnosis and any(resize.same is not None for resize in self.resizes)

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "passed": self.passed,
            "resizes": [resize.to_json() for resize in self.resizes],
            "diagnosis": [finding.to_json() for finding in self.diagnosis],
        }


def check_static(candidate: Model, reference: Model | None = None) -> StaticReport:
    """Hold every resize against its recorded TensorFlow op, else against the reference's node of the same name.

    Raises:
        UsageError: nothing is recorded, and the reference has no resize of the same name: nothing could be found.
    """
    layers = find_batch_statistics(candidate.to_reference_proto())
    known = {} if reference is None else {resize.name: resize for resize in reference.resizes()}
    checked, findings = [], []
    for resize in candidate.resizes():
        entry, finding = _checked(resize, known.get(resize.name), candidate)
        checked.append(entry)
        findings += [] if finding is None else [finding]
    if layers:
        findings.insert(0, finding_of(layers, f"onnx:{candidate.path.name if candidate.path else 'model'}"))
    report = StaticReport(str(candidate.path or "model"), tuple(checked), tuple(findings))
    if not layers and all(entry.same is None for entry in checked):
        what = "has no resize" if not checked else "records no TensorFlow op for any resize"
        raise UsageError(
            f"the model {what}, so nothing can be checked without running it",
            file=candidate.path,
            remedy="name a reference before it, or leave out --level static",
        )
    return report


def _checked(
    resize: ResizeNode, twin: ResizeNode | None, model: Model
) -> tuple[CheckedResize, Finding | None]:
    samples = _words(resize, {})
    wished, because = _recorded(resize)
    if wished is None and twin is not None:
        wished, because = _of(twin), "the reference's node of this name"
    if wished is None:
        return CheckedResize(resize.graph_path, resize.name, samples, None, because, None), None
    should = _words(resize, wished)
    same, shift = _compare(resize, wished)
    entry = CheckedResize(resize.graph_path, resize.name, samples, should, because, same)
    if same:
        return entry, None
    where = "" if shift is None else f": shifted {_edges(shift)}"
    return entry, Finding(
        f"node '{resize.name}' samples {samples}, {because} samples {should}{where}",
        node=resize.name,
        reference_semantics=should,
        candidate_semantics=samples,
        shift_px=None if shift is None else shift.max,
        remedy=_remedy(resize, wished, model),
        candidate=None if model.path is None else f"onnx:{model.path.name}",
    )


def _recorded(resize: ResizeNode) -> tuple[dict[str, Any] | None, str]:
    """The attributes that the recorded TensorFlow op asks for."""
    if resize.provenance is None or resize.is_parametric:
        return None, "nothing is recorded"
    intent = Intents.parse("auto", ()).resolve(resize)
    if intent.source != "provenance" or not intent.attributes:
        return None, intent.why
    return dict(intent.attributes), f"its recorded TensorFlow op {resize.provenance.get('op')}"


def _of(twin: ResizeNode) -> dict[str, Any]:
    return {
        "mode": twin.mode,
        "coordinate_transformation_mode": twin.coordinate_transformation_mode,
        "nearest_mode": twin.nearest_mode,
        **{name: twin.node.attrs[name] for name in _REST if name in twin.node.attrs},
    }


def _compare(resize: ResizeNode, wished: Mapping[str, Any]) -> tuple[bool, Any]:
    """Whether the node does what is wished, and if not, how far its grid is off (None at open lengths)."""
    try:
        spelling = spelled_out(resize)
        old = None if spelling is None else resize.semantics_of(spelling)
        new = None if spelling is None else resize.semantics_of(replace(spelling, **_known(spelling, wished)))
    except UnsupportedError:
        old = new = None
    if old is not None and new is not None:
        comparison = compare_cached(new, old)
        return comparison.equal, comparison.shift
    return all(_attribute(resize, name) == value for name, value in _meaningful(resize, wished)), None


def _known(spelling: Any, wished: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wished.items() if hasattr(spelling, name)}


def _meaningful(resize: ResizeNode, wished: Mapping[str, Any]) -> list[tuple[str, Any]]:
    mode = wished.get("mode", resize.mode)
    return [(name, value) for name, value in wished.items() if name != "nearest_mode" or mode == "nearest"]


def _attribute(resize: ResizeNode, name: str) -> Any:
    if name in ("mode", "coordinate_transformation_mode", "nearest_mode"):
        return getattr(resize, name)
    return resize.node.attrs.get(name)


def _words(resize: ResizeNode, wished: Mapping[str, Any]) -> str:
    words = [
        str(wished.get(name, getattr(resize, name))) for name in ("mode", "coordinate_transformation_mode")
    ]
    if words[0] == "nearest":
        words.append(str(wished.get("nearest_mode", resize.nearest_mode)))
    return " ".join(words)


def _edges(shift: Any) -> str:
    return f"{abs(shift.left):.3g} px at the left edge, {abs(shift.right):.3g} px at the right edge"


def _remedy(resize: ResizeNode, wished: Mapping[str, Any], model: Model) -> str:
    name = "model.onnx" if model.path is None else model.path.name
    if resize.provenance is not None:
        return f"rewrite {name} -o fixed.onnx"
    grid = wished["coordinate_transformation_mode"]
    return f"rewrite {name} -o fixed.onnx --intent preserve --set '{resize.name}={grid}'"
