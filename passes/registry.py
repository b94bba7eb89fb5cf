"""The passes by name: our own, and those that other packages register under entry point group `rewriter.passes`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from passes.base import Pass
from rewriter.errors import UsageError
from rewriter.intent_rules import nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["DEFAULT", "ENTRY_POINT_GROUP", "get", "names", "select"]

ENTRY_POINT_GROUP = "rewriter.passes"

_BUILT_IN = {
    "repair-bicubic": "passes.repair.resize_bicubic:RepairBicubic",
    "repair-crop-and-resize": "passes.repair.crop_and_resize:RepairCropAndResize",
    "repair-scale-and-translate": "passes.repair.scale_and_translate:RepairScaleAndTranslate",
    "recover-recurrent": "passes.repair.recurrent:RecoverRecurrent",
    "recover-nearest": "passes.resize.recover:RecoverNearest",
    "upgrade-resize": "passes.resize.upgrade:UpgradeResize",
    "normalize-resize": "passes.resize.normalize:NormalizeResize",
    "explicit-sizes": "passes.resize.explicit_sizes:ExplicitSizes",
    "fold-size-constants": "passes.shapes.fold:FoldSizeConstants",
    "explicit-attributes": "passes.resize.explicit_attributes:ExplicitAttributes",
    "drop-identity-resize": "passes.resize.drop_identity:DropIdentityResize",
    "recover-resize": "passes.resize.recover:RecoverResize",
    "fuse-resizes": "passes.resize.fuse:FuseResizes",
    "express-as-align-corners": "passes.resize.express:ExpressAsAlignCorners",
    "cancel-transposes": "passes.layout.cancel:CancelTransposes",
    "sink-transposes": "passes.layout.sink:SinkTransposes",
}

DEFAULT = (
    "recover-nearest",
    "upgrade-resize",
    "normalize-resize",
    "explicit-sizes",
    "fold-size-constants",
    "explicit-attributes",
    "drop-identity-resize",
)
"""What `rewrite` runs, in order."""


def names() -> tuple[str, ...]:
    """Names of all passes that are installed."""
    return (*_BUILT_IN, *sorted(_plug_ins()))


def get(name: str) -> Pass:
    """A pass with its default options.

    Raises:
        UsageError: no such pass, or the plug-in that registers it cannot be loaded or is not a pass of that name.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    else:
        plug_in = _plug_ins().get(name)
        if plug_in is None:
            similar = nearest(name, names())
            raise UsageError(f"unknown pass '{name}'{similar}", remedy="list them with: rewriter passes")
        return _plugged_in(plug_in)
    return cast("Callable[[], Pass]", factory)()


def _plugged_in(plug_in: EntryPoint) -> Pass:
    where = f"pass '{plug_in.name}', which is registered as {plug_in.value},"
    try:
        factory = plug_in.load()
        made = factory() if callable(factory) else factory
    except Exception as error:  # whatever another package raises when it is imported
        raise UsageError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}",
            remedy="repair or uninstall that package",
        ) from error
    if not isinstance(made, Pass):
        raise UsageError(f"{where} is not a pass", remedy="derive it from passes.Pass")
    if getattr(made, "name", None) != plug_in.name:
        raise UsageError(
            f"{where} calls itself '{getattr(made, 'name', None)}'", remedy="use one name in both places"
        )
    return made


def select(wanted: Sequence[str] | None, skip: Sequence[str] = ()) -> list[Pass]:
    """The passes to run: `wanted` (the default ones when None) without those in `skip`.

    Raises:
        UsageError: an unknown name in either.
    """
    for name in (*(wanted or ()), *skip):
        # Plug-ins are looked for only where one is named: that costs more than most rewrites.
        if name not in _BUILT_IN and name not in (known := names()):
            similar = nearest(name, known)
            raise UsageError(f"unknown pass '{name}'{similar}", remedy=f"use one of {', '.join(known)}")
    return [get(name) for name in (DEFAULT if wanted is None else wanted) if name not in skip]


def _plug_ins() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name in _BUILT_IN or (entry.name in found and found[entry.name].value != entry.value):
            raise UsageError(
                f"two packages register a pass named '{entry.name}'", remedy="uninstall one of them"
            )
        found[entry.name] = entry
    return found
