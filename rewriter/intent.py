"""What each resize was meant to compute: the user's rules, then provenance, then evidence, then the default."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.errors import InputError, UnsupportedError, UsageError
from rewriter.resampling.tensorflow import onnx_attributes

if TYPE_CHECKING:
    from onnx_graphsurgeon import Node

    from rewriter.model import ResizeNode

__all__ = ["INTENTS", "Intent", "Intents", "Rule", "parse_set", "read_rules"]

INTENTS = ("align_corners", "half_pixel", "asymmetric", "preserve")
_RULE_KEYS = ("node", "scope", "mode", "op", "sizes", "intent")
_TEXT_KEYS = ("node", "scope", "mode", "op")


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


@dataclass(frozen=True)
class Rule:
    """An explicit wish for some nodes. Globs are matched case-sensitively; None matches everything.

    Attributes:
        intent: a member of `INTENTS`.
        node: glob for the node's name.
        scope: glob for the graph's path, e.g. ``main/If_*/then_branch``.
        mode: ``nearest``, ``linear`` or ``cubic``.
        op: ``Resize`` or ``Upsample``.
        sizes: output lengths of the axes that are resized, or of all axes.
        origin: how the user wrote it, for messages.
    """

    intent: str
    node: str | None = None
    scope: str | None = None
    mode: str | None = None
    op: str | None = None
    sizes: tuple[int, ...] | None = None
    origin: str = "rule"

    def __post_init__(self) -> None:
        if self.intent not in INTENTS:
            raise UsageError(
                f"{self.origin}: unknown intent '{self.intent}'", remedy=f"use one of {', '.join(INTENTS)}"
            )

    def matches(self, resize: ResizeNode) -> bool:
        """Whether the rule speaks of this node."""
        if self.node is not None and not fnmatchcase(resize.name, self.node):
            return False
        if self.scope is not None and not fnmatchcase(resize.graph_path, self.scope):
            return False
        if self.mode is not None and self.mode != resize.mode:
            return False
        if self.op is not None and self.op != resize.op:
            return False
        return self.sizes is None or self._fits(resize)

    def _fits(self, resize: ResizeNode) -> bool:
        assert self.sizes is not None
        shape, before = resize.output_shape, resize.input_shape
        if shape is None:
            return False
        if shape == self.sizes:
            return True
        resized = shape if before is None else [m for n, m in zip(before, shape, strict=False) if n != m]
        return tuple(resized) == self.sizes


@dataclass
class Intents:
    """Decides the intent of each node, and remembers which rules matched.

    An ``--intent`` other than ``preserve`` speaks of linear and cubic nodes: repeating pixels and sampling between
    them are different wishes, so nearest nodes change only by a rule or by their provenance.

    Attributes:
        rules: explicit wishes; the first that matches a node counts.
        flag: what ``--intent`` says; None for ``auto``.
        evidence: what a reference's outputs show of a node; asked where neither a rule nor provenance speaks.
    """

    rules: tuple[Rule, ...] = ()
    flag: str | None = None
    evidence: Callable[[ResizeNode], Intent | None] = lambda resize: None
    _used: set[int] = field(default_factory=set)
    _decided: dict[int, tuple[Node, Intent]] = field(default_factory=dict)

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
                f"unknown intent '{intent}'",
                remedy=f"use auto, {', '.join(INTENTS)}, or a rules file ending in .toml",
            )
        return cls(own + read_rules(Path(intent)))

    def resolve(self, resize: ResizeNode) -> Intent:
        """The intent of one node, decided when it is first asked for: a pass may change what rules look at."""
        known = self._decided.get(id(resize.node))
        if known is None:
            known = self._decided[id(resize.node)] = (resize.node, self._decide(resize))
        return known[1]

    def _decide(self, resize: ResizeNode) -> Intent:
        for index, rule in enumerate(self.rules):
            if rule.matches(resize):
                self._used.add(index)
                return _from_name(rule.intent, "rule", resize, f"rule {rule.origin}")
        if self.flag == "preserve":
            return Intent("preserve", "flag", {}, "--intent preserve")
        interpolates = resize.mode in ("linear", "cubic")
        if self.flag is not None and interpolates:
            return _unless_special(resize, _from_name(self.flag, "flag", resize, f"--intent {self.flag}"))
        if resize.provenance is not None:
            return _from_provenance(resize)
        shown = self.evidence(resize)
        if shown is not None:
            return shown
        if not interpolates:
            return Intent("preserve", "default", {}, "nearest is kept as it is by default")
        wish = _from_name("align_corners", "default", resize, "no rule and no provenance: the default")
        return _unless_special(resize, wish)

    def require_all_used(self) -> None:
        """Raise where a rule was the first to match for no node that was asked about.

        Raises:
            UsageError: a typing error in a glob would otherwise go unnoticed.
        """
        for index, rule in enumerate(self.rules):
            if index not in self._used:
                raise UsageError(
                    f"{rule.origin} matches no resize", remedy="list the nodes with: rewriter inspect FILE"
                )


def parse_set(text: str) -> Rule:
    """A rule from ``NODE-GLOB=MODE``; the glob may hold '=' itself.

    Raises:
        UsageError: no '=', or an unknown mode.
    """
    glob, separator, intent = text.rpartition("=")
    if not separator or not glob:
        raise UsageError(
            f"--set '{text}' is not NODE-GLOB=MODE", remedy="for example --set 'decoder/*=half_pixel'"
        )
    return Rule(intent.strip(), node=glob, origin=f"--set '{text}'")


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Rules from a TOML file: ``[[rule]]`` tables with ``intent`` and any of node, scope, mode, op, sizes.

    Raises:
        InputError: missing, not TOML, or not rules.
    """
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such rules file", file=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the rules: {error}", file=path) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not a TOML file: {error}", file=path) from error
    tables = content.get("rule")
    if not isinstance(tables, list) or not tables or set(content) != {"rule"}:
        raise InputError("a rules file holds [[rule]] tables and nothing else", file=path)
    return tuple(_rule(table, index, path) for index, table in enumerate(tables, start=1))


def _rule(table: Any, index: int, path: Path) -> Rule:
    origin = f"rule {index} of {path}"
    if not isinstance(table, dict) or "intent" not in table:
        raise InputError(f"rule {index} has no intent", file=path)
    unknown = sorted(set(table) - set(_RULE_KEYS))
    if unknown:
        raise InputError(
            f"rule {index} has unknown key '{unknown[0]}'", file=path, remedy=f"use {', '.join(_RULE_KEYS)}"
        )
    sizes = table.get("sizes")
    if sizes is not None and not (isinstance(sizes, list) and all(type(size) is int for size in sizes)):
        raise InputError(f"rule {index}: sizes must be a list of whole numbers", file=path)
    for key in (*_TEXT_KEYS, "intent"):
        if key in table and not isinstance(table[key], str):
            raise InputError(f"rule {index}: {key} must be a string", file=path)
    texts = {key: table[key] for key in _TEXT_KEYS if key in table}
    return Rule(table["intent"], sizes=None if sizes is None else tuple(sizes), origin=origin, **texts)


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
