"""The passes by name: our own, and those that other packages register under entry point group `rewriter.passes`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from passes.base import Pass
from rewriter.errors import UsageError

__all__ = ["DEFAULT", "ENTRY_POINT_GROUP", "get", "names", "select"]

ENTRY_POINT_GROUP = "rewriter.passes"

_BUILT_IN = {
    "recover-nearest": "passes.resize.recover:RecoverNearest",
    "upgrade-resize": "passes.resize.upgrade:UpgradeResize",
    "normalize-resize": "passes.resize.normalize:NormalizeResize",
    "explicit-sizes": "passes.resize.explicit_sizes:ExplicitSizes",
    "explicit-attributes": "passes.resize.explicit_attributes:ExplicitAttributes",
    "drop-identity-resize": "passes.resize.drop_identity:DropIdentityResize",
    "recover-resize": "passes.resize.recover:RecoverResize",
    "fuse-resizes": "passes.resize.fuse:FuseResizes",
    "express-as-align-corners": "passes.resize.express:ExpressAsAlignCorners",
}

DEFAULT = tuple(
    name for name in _BUILT_IN if name not in ("recover-resize", "fuse-resizes", "express-as-align-corners")
)
"""What `rewrite` runs, in order."""


def names() -> tuple[str, ...]:
    """Names of all passes that are installed."""
    return (*_BUILT_IN, *sorted(_plug_ins()))


def get(name: str) -> Pass:
    """A pass with its default options.

    Raises:
        UsageError: no such pass, or the plug-in that registers it is not a pass.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    else:
        plug_in = _plug_ins().get(name)
        if plug_in is None:
            raise UsageError(f"unknown pass '{name}'", remedy="list them with: rewriter passes")
        factory = plug_in.load()
    made = cast("Callable[[], object]", factory)() if callable(factory) else factory
    if not isinstance(made, Pass):
        raise UsageError(f"what is registered as pass '{name}' is not a pass")
    return made


def select(wanted: Sequence[str] | None, skip: Sequence[str] = ()) -> list[Pass]:
    """The passes to run: `wanted` (the default ones when None) without those in `skip`.

    Raises:
        UsageError: an unknown name in either.
    """
    known = names()
    for name in (*(wanted or ()), *skip):
        if name not in known:
            raise UsageError(f"unknown pass '{name}'", remedy=f"use one of {', '.join(known)}")
    return [get(name) for name in (DEFAULT if wanted is None else wanted) if name not in skip]


def _plug_ins() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name in _BUILT_IN or (entry.name in found and found[entry.name].value != entry.value):
            raise UsageError(
                f"two packages register a pass named '{entry.name}'", remedy="uninstall one of them"
            )
        found[entry.name] = entry
    return found
