"""Rewrites of ONNX models, one pass per module.

import passes
from rewriter.model import Model

model = Model.load("in.onnx")
result = passes.run(model, ["normalize-resize"])
model.save("out.onnx")
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from passes.base import Change, Log, Note, Pass, PassContext, PassManager, PassResult
    from passes.registry import DEFAULT, get, names
    from rewriter.intent import Rule
    from rewriter.model import Model

__all__ = [
    "DEFAULT",
    "Change",
    "Log",
    "Note",
    "Pass",
    "PassContext",
    "PassManager",
    "PassResult",
    "get",
    "names",
    "run",
]

_HOME = dict.fromkeys(__all__, "passes.base") | dict.fromkeys(("DEFAULT", "get", "names"), "passes.registry")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'passes' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def run(
    model: Model,
    names: Sequence[str | Pass] | None = None,
    *,
    intent: str = "auto",
    rules: Iterable[str | Rule] = (),
    verify: Literal["off", "each"] = "off",
) -> PassResult:
    """Run passes on `model` in place.

    Args:
        model: the model to rewrite.
        names: names of passes, or passes; the default ones when None.
        intent: as for ``rewrite --intent``.
        rules: as for ``rewrite --set``.
        verify: ``"each"`` compares the numbers before and after every pass that must not change them.

    Raises:
        UsageError: an unknown pass or intent; a rule that matches no resize; align_corners forced on a resize that
            is recorded as half_pixel, without `intent`.
        PassError: a pass broke the model.
    """
    from passes.base import PassContext, PassManager
    from passes.registry import DEFAULT
    from rewriter.intent import Intents

    chosen = DEFAULT if names is None else names
    return PassManager(chosen, PassContext(Intents.parse(intent, rules)), verify).run(model)
