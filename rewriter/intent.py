"""What each resize was meant to compute: the user's rules, then provenance, then evidence, then the default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rewriter.errors import UnsupportedError, UsageError
from rewriter.intent_rules import INTENTS, Rule, nearest, parse_set, read_rules
from rewriter.resampling.tensorflow import onnx_attributes

if TYPE_CHECKING:
    from onnx_graphsurgeon import Node

    from rewriter.model import ResizeNode

__all__ = ["INTENTS", "Intent", "Intents", "Rule", "parse_set", "read_rules", "refusal"]


@dataclass(frozen=True)
class Intent:
    """What one node should compute.

    Attributes:
        name: a member of `INTENTS`.
        source: ``rule``, ``flag``, ``provenance``, ``evidence`` or ``default``.
        attributes: the ONNX attributes that say it; empty for ``preserve``.
        why: one clause for reports.
    """

    name: str
    source: str
    attributes: Mapping[str, str | float | int]
    why: str


@dataclass
class Intents:
    """Decides the intent of each node, and remembers which rules matched.

    An ``--intent`` other than ``preserve`` speaks of linear and cubic nodes: repeating pixels and sampling between
    them are different wishes, so nearest nodes change only by a rule or by their provenance.

    A record of half_pixel is overruled with align_corners only by someone who insists on it: whoever gives an
    ``--intent``, as a word or as a file. ``--set`` alone is refused, with the reason.

    Attributes:
        rules: explicit wishes; the first that matches a node counts.
        flag: what ``--intent`` says; None for ``auto``, and for a rules file.
        insists: whether ``--intent`` was given, so that what a model records may be overruled.
        evidence: what a reference's outputs show of a node; asked where neither a rule nor provenance speaks.
    """

    rules: tuple[Rule, ...] = ()
    flag: str | None = None
    insists: bool = False
    evidence: Callable[[ResizeNode], Intent | None] = lambda resize: None
    _matched: set[int] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)
    _decided: dict[int, tuple[Node, Intent]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.insists = self.insists or self.flag is not None

    @classmethod
    def auto(cls) -> Intents:
        """Provenance, then the default."""
        return cls()

    @classmethod
    def parse(cls, intent: str = "auto", rules: Iterable[str | Rule] = ()) -> Intents:
        """From the options of the command line.

        Args:
            intent: ``auto``, a member of `INTENTS`, or the path of a rules file.
            rules: ``NODE-GLOB=MODE`` texts or rules; they come before those of a file.

        Raises:
            UsageError: neither a known intent nor a file, or a malformed rule.
            InputError: a rules file that cannot be read.
        """
        own = tuple(parse_set(rule) if isinstance(rule, str) else rule for rule in rules)
        if intent == "auto":
            return cls(own)
        if intent in INTENTS:
            return cls(own, flag=intent)
        if not intent.endswith(".toml") and not Path(intent).exists():
            raise UsageError(
                f"unknown intent '{intent}'{nearest(intent, ('auto', *INTENTS))}",
                remedy=f"use auto, {', '.join(INTENTS)}, or a rules file ending in .toml",
            )
        return cls(own + read_rules(Path(intent)), insists=True)

    def resolve(self, resize: ResizeNode) -> Intent:
        """The intent of one node, decided when it is first asked for: a pass may change what rules look at.

        Raises:
            UsageError: a rule forces align_corners on a node that is recorded as half_pixel, without ``--intent``.
        """
        known = self._decided.get(id(resize.node))
        if known is None:
            known = (resize.node, self._decide(resize))
            if not resize.is_parametric:
                # A mode that is a parameter of a function may be resolved by a pass; then it is looked at again.
                self._decided[id(resize.node)] = known
        return known[1]

    def _decide(self, resize: ResizeNode) -> Intent:
        self._names.add(resize.name)
        matching = [index for index, rule in enumerate(self.rules) if rule.matches(resize)]
        self._matched.update(matching)
        recorded = None if resize.provenance is None else _from_provenance(resize)
        if matching:
            rule = self.rules[matching[0]]
            wish = _from_name(rule.intent, "rule", resize, f"rule {rule.origin}")
            return self._over(recorded, wish, resize)
        if self.flag == "preserve":
            return Intent("preserve", "flag", {}, "--intent preserve")
        interpolates = resize.mode in ("linear", "cubic")
        if self.flag is not None and interpolates:
            wish = _unless_special(resize, _from_name(self.flag, "flag", resize, f"--intent {self.flag}"))
            return self._over(recorded, wish, resize)
        if recorded is not None:
            return recorded
        shown = self.evidence(resize)
        if shown is not None:
            return shown
        if not interpolates:
            return Intent("preserve", "default", {}, "nearest is kept as it is by default")
        wish = _from_name("align_corners", "default", resize, "no rule and no provenance: the default")
        return _unless_special(resize, wish)

    def _over(self, recorded: Intent | None, wish: Intent, resize: ResizeNode) -> Intent:
        """The wish, in the knowledge of what is recorded."""
        if recorded is None or "preserve" in (recorded.name, wish.name) or recorded.name == wish.name:
            return wish
        if wish.name == "align_corners" and recorded.name == "half_pixel" and not self.insists:
            raise refusal(resize.name, recorded, wish.why)
        return replace(wish, why=f"{wish.why}; it overrules the recorded {recorded.name}")

    def require_all_used(self) -> None:
        """Raise where a rule matches no node that was asked about.

        Raises:
            UsageError: a typing error in a glob would otherwise go unnoticed.
        """
        for index, rule in enumerate(self.rules):
            if index not in self._matched:
                looked_for = (
                    "" if rule.node is None else nearest(rule.node, self._names, "the nearest name is")
                )
                raise UsageError(
                    f"{rule.origin} matches no resize{looked_for}",
                    remedy="list the nodes with: rewriter inspect FILE",
                )


def refusal(node: str, recorded: Intent, why: str) -> UsageError:
    """Why align_corners is not forced on a node that is recorded as half_pixel.

    Args:
        node: its name.
        recorded: the intent that provenance gives.
        why: who wants align_corners.
    """
    return UsageError(
        f"{why} forces align_corners on a resize that is recorded as half_pixel ({recorded.why}): its network was "
        "trained on that grid",
        node=node,
        remedy="leave it out to keep half_pixel, or give --intent align_corners (or --intent RULES.toml with the "
        "rule in it) where the record is wrong",
    )


def _from_name(name: str, source: str, resize: ResizeNode, why: str) -> Intent:
    if name == "preserve":
        return Intent(name, source, {}, why)
    attributes: dict[str, str | float | int] = {"coordinate_transformation_mode": name}
    if resize.mode == "nearest":
        words = onnx_attributes("ResizeNearestNeighbor", name == "align_corners", name == "half_pixel")
        attributes["nearest_mode"] = words["nearest_mode"]
    return Intent(name, source, attributes, why)


def _from_provenance(resize: ResizeNode) -> Intent:
    recorded = resize.provenance or {}
    op, flags = str(recorded.get("op")), []
    for name in ("align_corners", "half_pixel_centers"):
        flags.append(bool(recorded.get(name, False)))
    try:
        attributes = onnx_attributes(op, *flags)
    except UnsupportedError as error:
        return Intent("preserve", "provenance", {}, f"recorded as TensorFlow's {op}: {error.message}")
    name = str(attributes["coordinate_transformation_mode"])
    words = [op] + [
        flag for flag, is_set in zip(("align_corners", "half_pixel_centers"), flags, strict=True) if is_set
    ]
    return Intent(name, "provenance", attributes, f"converted from TensorFlow's {' '.join(words)}")


def _unless_special(resize: ResizeNode, wish: Intent) -> Intent:
    """Cropping and antialiasing resizes mean what they say; no general wish applies to them."""
    if resize.coordinate_transformation_mode == "tf_crop_and_resize":
        return Intent("preserve", wish.source, {}, "a crop keeps its own grid")
    if resize.node.attrs.get("antialias") and wish.source == "default":
        return Intent("preserve", wish.source, {}, "an antialiased resize is kept as it is by default")
    return wish
