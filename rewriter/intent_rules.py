"""The user's rules on what resizes should compute: their TOML file, ``--set``, and which nodes they speak of."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.errors import InputError, UsageError

if TYPE_CHECKING:
    from rewriter.model import ResizeNode

__all__ = ["INTENTS", "Rule", "nearest", "parse_set", "read_rules"]

INTENTS = ("align_corners", "half_pixel", "asymmetric", "preserve")
_MODES = ("nearest", "linear", "cubic")
_RULE_KEYS = ("node", "scope", "mode", "op", "sizes", "intent")
_TEXT_KEYS = ("node", "scope", "mode", "op")
_ANY_LENGTH = "*"


@dataclass(frozen=True)
class Rule:
    """An explicit wish for some nodes. Globs are matched case-sensitively; None matches everything.

    Attributes:
        intent: a member of `INTENTS`.
        node: glob for the node's name.
        scope: glob for the graph's path, e.g. ``main/If_*/then_branch``.
        mode: ``nearest``, ``linear`` or ``cubic``.
        op: glob for the operator: ``Resize``, ``Upsample``, or the TensorFlow op that provenance records.
        sizes: output lengths of the axes that are resized, or of all axes; None in it is any length.
        origin: how the user wrote it, for messages.
    """

    intent: str
    node: str | None = None
    scope: str | None = None
    mode: str | None = None
    op: str | None = None
    sizes: tuple[int | None, ...] | None = None
    origin: str = "rule"

    def __post_init__(self) -> None:
        for value, known, what in ((self.intent, INTENTS, "intent"), (self.mode, _MODES, "mode")):
            if value is not None and value not in known:
                raise UsageError(
                    f"{self.origin}: unknown {what} '{value}'{nearest(value, known)}",
                    remedy=f"use one of {', '.join(known)}",
                )

    def matches(self, resize: ResizeNode) -> bool:
        """Whether the rule speaks of this node."""
        if self.node is not None and not fnmatchcase(resize.name, self.node):
            return False
        if self.scope is not None and not fnmatchcase(resize.graph_path, self.scope):
            return False
        if self.mode is not None and self.mode != resize.mode:
            return False
        if self.op is not None and not any(fnmatchcase(op, self.op) for op in _ops(resize)):
            return False
        return self.sizes is None or any(self._fits(lengths) for lengths in _output_lengths(resize))

    def _fits(self, lengths: Iterable[int | str | None]) -> bool:
        assert self.sizes is not None
        found = tuple(lengths)
        return len(found) == len(self.sizes) and all(
            wanted is None or wanted == length for wanted, length in zip(self.sizes, found, strict=True)
        )


def _ops(resize: ResizeNode) -> list[str]:
    recorded = (resize.provenance or {}).get("op")
    return [resize.op, recorded] if isinstance(recorded, str) else [resize.op]


def _output_lengths(resize: ResizeNode) -> Iterable[Iterable[int | str | None]]:
    """The lengths that a rule may mean: of all axes, and of those that are resized."""
    before, after = resize.input_shape, resize.output_shape
    if after is not None:
        yield after
        if before is not None and len(before) == len(after):
            yield [m for n, m in zip(before, after, strict=True) if n != m]
    if resize.lengths is not None:
        yield [m for n, m in resize.lengths if n != m]


def nearest(word: str, known: Iterable[str], lead: str = "did you mean") -> str:
    """``, did you mean 'x'`` for the known word that is most like `word`; empty where none is."""
    plain = re.sub(r"[*?\[\]!]", "", word)
    by_lower_case = {each.lower(): each for each in known}
    found = get_close_matches(plain.lower(), by_lower_case, n=1, cutoff=0.5)
    return f", {lead} '{by_lower_case[found[0]]}'" if found else ""


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
        InputError: missing, not TOML, or not rules; the message says which rule, and in which line it begins.
    """
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise InputError("no such rules file", file=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the rules: {error}", file=path) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not a TOML file: {error}", file=path) from error
    tables = content.get("rule")
    stray = next((key for key in content if key != "rule"), None)
    if stray is not None or not isinstance(tables, list) or not tables:
        found = "" if stray is None else f"; it has '{stray}'{nearest(stray, ['rule'])}"
        raise InputError(f"a rules file holds [[rule]] tables and nothing else{found}", file=path)
    headers = re.finditer(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]", text, re.MULTILINE)
    lines = [text.count("\n", 0, header.start()) + 1 for header in headers]
    rules = []
    for index, table in enumerate(tables):
        line = f" (line {lines[index]})" if len(lines) == len(tables) else ""
        rules.append(_rule(table, f"rule {index + 1}{line}", path))
    return tuple(rules)


def _rule(table: Any, which: str, path: Path) -> Rule:
    if not isinstance(table, dict):
        raise InputError(f"{which} is not a table", file=path, remedy="begin it with [[rule]]")
    unknown = sorted(set(table) - set(_RULE_KEYS))
    if unknown:
        raise InputError(
            f"{which} has unknown key '{unknown[0]}'{nearest(unknown[0], _RULE_KEYS)}",
            file=path,
            remedy=f"use {', '.join(_RULE_KEYS)}",
        )
    if "intent" not in table:
        raise InputError(
            f"{which} has no intent", file=path, remedy=f"add intent = one of {', '.join(INTENTS)}"
        )
    for key in (*_TEXT_KEYS, "intent"):
        if key in table and not isinstance(table[key], str):
            raise InputError(f"{which}: {key} must be a string", file=path)
    texts = {key: table[key] for key in _TEXT_KEYS if key in table}
    sizes = _sizes(table["sizes"], which, path) if "sizes" in table else None
    try:
        return Rule(table["intent"], sizes=sizes, origin=f"{which} of {path}", **texts)
    except UsageError as error:
        message = error.message.removeprefix(f"{which} of {path}: ")
        raise InputError(f"{which}: {message}", file=path, remedy=error.remedy) from None


def _sizes(value: Any, which: str, path: Path) -> tuple[int | None, ...]:
    is_list = isinstance(value, list) and len(value) > 0
    if not is_list or not all((type(size) is int and size > 0) or size == _ANY_LENGTH for size in value):
        raise InputError(
            f'{which}: sizes must be a list of whole numbers above 0, or "*" for any length', file=path
        )
    return tuple(None if size == _ANY_LENGTH else size for size in value)
