"""The whole rewrite of one model: passes, the report on every resize, the check before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from passes.base import Change, Note, Pass, PassContext, PassManager, PassResult, naming
from passes.registry import select
from rewriter.checking import Verdict, examine
from rewriter.errors import InputError, PassError, UsageError
from rewriter.inspection import coreml_expression, semantics_of
from rewriter.intent import Intent, Intents, Rule
from rewriter.model import Model, ResizeNode

if TYPE_CHECKING:
    from rewriter.difference import Audit
    from rewriter.evidence import Evidence, Inquiry

__all__ = ["Rewrite", "rewrite", "rewrite_file"]

_STRENGTH = ("cleanup", "respelling", "correction")


@dataclass(frozen=True)
class Rewrite:
    """What a rewrite did.

    Attributes:
        model: the rewritten model.
        resizes: one entry per resize, of the JSON key ``resizes``.
        changes: every change, in order.
        notes: what was left alone, and why.
        passes: what ran.
        intents: what decided.
        remarks: sentences on the check, e.g. that onnxruntime lacks an operator of the model.
        audits: the comparison of the written file with the input; empty where none was asked for.
        evidence: what a reference showed; None without one.
    """

    model: Model
    resizes: list[dict[str, Any]]
    changes: tuple[Change, ...]
    notes: tuple[Note, ...]
    passes: tuple[Pass, ...]
    intents: Intents
    remarks: list[str] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    evidence: Evidence | None = None

    @property
    def corrected_by_default(self) -> list[dict[str, Any]]:
        """The resizes that neither a rule nor provenance spoke of, and that the default changed."""
        return [
            entry
            for entry in self.resizes
            if entry["intent_from"] == "default"
            and entry["effect"] == "correction"
            and len(set(entry["coordinate_transformation_mode"].values())) > 1
        ]

    @property
    def default_warning(self) -> str | None:
        """One plain sentence on `corrected_by_default`, with the flags to use instead; None when it is empty."""
        entries = self.corrected_by_default
        if not entries:
            return None
        shifts = [entry["max_shift_px"] for entry in entries]
        known = [shift for shift in shifts if shift is not None]
        size = f"by up to {max(known):.3g} px" if known else "by an amount that depends on the input's size"
        if known and len(known) < len(shifts):
            size += " (more where the size is not known)"
        node = entries[0]["node"]
        if len(entries) == 1:
            what = (
                f"'{node}' has no recorded intent and now samples with align_corners, which shifts it {size}"
            )
        else:
            what = (
                f"{len(entries)} resizes have no recorded intent and now sample with align_corners, "
                f"which shifts them {size}"
            )
        return (
            f"{what}; to keep what the file says use --intent preserve, "
            f"to choose per node use --set '{node}=half_pixel'"
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON keys ``resizes``, ``changes``, ``notes`` and ``remarks``, and ``evidence`` where there is one."""
        shown = {} if self.evidence is None else {"evidence": self.evidence.to_json()}
        return {
            **shown,
            "resizes": self.resizes,
            "changes": [change.to_json() for change in self.changes],
            "notes": [note.to_json() for note in self.notes],
            "remarks": list(self.remarks),
            **({"audit": self.audits[-1].to_json()} if self.audits else {}),
        }

    def save(self, target: str | Path, *, check: bool = True, audit: bool = False) -> None:
        """Write the model atomically; with `check` only if it is valid.

        Args:
            target: the file.
            check: with onnx's checker and onnxruntime.
            audit: compare the file with the input, and write it only if every difference is among `changes`.

        Raises:
            PassError: a pass made the model invalid, or changed something that it does not list; nothing is written.
            InputError: the input was not valid to begin with, or the target cannot be written.
        """

        def examine_file(written: Path) -> None:
            if check:
                self._require_valid(written)
            if audit:
                self._require_listed(written)

        self.model.save(target, check=examine_file if check or audit else None)

    def _require_listed(self, written: Path) -> None:
        """Every difference between the input and `written` must follow from a listed change."""
        from rewriter.difference import audit

        if self.model.path is None:
            raise UsageError("an audit compares files, and this model came from memory")
        self.audits.append(audit(self.model.path, written, self.changes))
        if self.audits[-1].unexplained:
            raise PassError(
                f"the result differs in something that no pass lists: {self.audits[-1].unexplained[0]}",
                file=self.model.path,
                remedy="nothing was written; find the pass with --skip, and report it with the model",
            )

    def check(self) -> None:
        """Check the model in memory.

        Raises:
            PassError, InputError: as `save`.
        """
        self._require_valid(None)

    def _require_valid(self, written: Path | None) -> None:
        verdict = examine(self.model, written)
        if verdict.error is None and verdict.runtime is None:
            return
        before = examine(self.model.fresh())
        if verdict.error is not None:
            if before.error is not None or not self.model.is_edited:
                raise _invalid_input(before, self.model)
            culprit = self._culprit()
            raise PassError(
                f"after pass {culprit} the model is not valid: {verdict.error}",
                file=self.model.path,
                remedy=f"nothing was written; leave the pass out with --skip {culprit}",
            )
        if before.runtime is None and self.model.is_edited:
            culprit = self._culprit()
            raise PassError(
                f"after pass {culprit} onnxruntime lacks something that the model needs: {verdict.runtime}",
                file=self.model.path,
                remedy=f"nothing was written; leave the pass out with --skip {culprit}",
            )
        self.remarks.append(
            f"not loaded in onnxruntime, which lacks something the model needs: {verdict.runtime}"
        )

    def _culprit(self) -> str:
        """The first pass after which a fresh copy of the model is no longer valid."""
        model = self.model.fresh()
        for pass_ in self.passes:
            pass_.run(model, PassContext(self.intents))
            if not examine(model).accepted:
                return pass_.name
        return self.passes[-1].name


_SMALL = 1000
"""Nodes up to which the passes run again after any change: it takes no time there."""

_MOST_ROUNDS = 4
"""Each round needs a length that the one before made known; a chain of more has not been seen."""


def rewrite(
    model: Model,
    *,
    intent: str = "auto",
    rules: Iterable[str | Rule] = (),
    passes: Sequence[str] | None = None,
    skip: Sequence[str] = (),
    reference: str | Path | None = None,
) -> Rewrite:
    """Run passes on `model` in place and report on every resize.

    Args:
        intent, rules: as `rewriter.intent.Intents.parse`.
        passes: names of the passes to run; the default ones when None.
        skip: names of passes to leave out.
        reference: what the model should compute, as `rewriter.evidence.gather`; where no choice of modes
            reproduces it, nothing is changed.

    Raises:
        UsageError: unknown pass or intent, or a rule that matches nothing.
        UnsupportedError: a pass cannot do its work exactly.
        PassError: a pass failed.
        InputError: a pass failed because the model is not valid.
    """
    intents = Intents.parse(intent, rules)
    chosen = select(passes, skip)
    inquiry = None if reference is None else _inquire(model, reference, intents)
    if inquiry is not None and not inquiry.evidence.reproduced:
        chosen = []
    with naming(model):
        before = [(resize, _words(resize), intents.resolve(resize)) for resize in model.resizes()]
        intents.require_all_used()
    if inquiry is not None:
        inquiry.hear(intents)
    try:
        result = _until_nothing_is_learnt(PassManager(chosen, PassContext(intents)), model)
    except PassError as error:
        verdict = examine(model.fresh())
        if verdict.checker is not None:
            raise _invalid_input(verdict, model) from error
        raise
    after = {id(resize.node): resize for resize in model.resizes()}
    changes: dict[tuple[str, str | None], list[Change]] = {}
    for change in result.changes:
        changes.setdefault((change.graph, change.node), []).append(change)
    resizes = []
    for resize, words, wish in before:
        now = after.pop(id(resize.node), None)
        own = changes.get((resize.graph_path, resize.name), [])
        resizes.append(_entry(resize, words, now, wish, own))
    for made in after.values():
        own = changes.get((made.graph_path, made.name), [])
        resizes.append(_entry(made, _NOTHING, made, intents.resolve(made), own))
    done = Rewrite(model, resizes, result.changes, result.notes, tuple(chosen), intents)
    if inquiry is None:
        return done
    if inquiry.evidence.reproduced:
        inquiry.confirm(model)
    return replace(done, evidence=inquiry.evidence)


def _until_nothing_is_learnt(manager: PassManager, model: Model) -> PassResult:
    """Run the passes again where their work made lengths of a resize known that were not: so a second run is idle."""
    result = more = manager.run(model)
    for _ in range(_MOST_ROUNDS):
        if not more.changes:
            break
        before = _open_resizes(model)
        if not before and model.graph_size > _SMALL:
            break
        model.infer_again()
        after = _open_resizes(model)
        # A resize that went may have given its declared output to what reads the lengths of its input.
        removed = any(change.new == "removed" for change in more.changes)
        learnt = removed or any(after.get(key) != shapes for key, shapes in before.items())
        if not learnt and model.graph_size > _SMALL:
            break
        more = manager.run(model)
        result = PassResult(result.changes + more.changes, more.notes)
    return result


def _open_resizes(model: Model) -> dict[int, tuple[Any, ...]]:
    """Resizes whose lengths are not known, or computed in the graph, by identity; and what is known of them."""
    return {
        id(resize.node): (resize.lengths, resize.input_shape, resize.output_shape)
        for resize in model.resizes()
        if not resize.is_parametric
        and (resize.lengths is None or (resize.given_by("sizes") and resize.sizes is None))
    }


def _inquire(model: Model, reference: str | Path, intents: Intents) -> Inquiry:
    """Gather evidence, which the intents ask from then on."""
    from rewriter.evidence import gather  # it needs onnxruntime

    inquiry = gather(model, reference)
    intents.evidence = inquiry.wish
    return inquiry


def rewrite_file(
    source: str | Path,
    target: str | Path | None,
    *,
    intent: str = "auto",
    rules: Iterable[str | Rule] = (),
    passes: Sequence[str] | None = None,
    skip: Sequence[str] = (),
    check: bool = True,
    audit: bool = False,
    reference: str | Path | None = None,
) -> Rewrite:
    """Rewrite a file; with `target` None only say (and check) what would be done.

    Nothing is written where a reference is given and no choice of modes reproduces it.

    Raises:
        RewriterError: as `Model.load`, `rewrite` and `Rewrite.save`.
    """
    done = rewrite(
        Model.load(source), intent=intent, rules=rules, passes=passes, skip=skip, reference=reference
    )
    if done.evidence is not None and not done.evidence.reproduced:
        return done
    if target is not None:
        done.save(target, check=check, audit=audit)
    elif check:
        done.check()
    return done


_NOTHING: dict[str, Any] = {"op": None, "coordinate_transformation_mode": None, "nearest_mode": None}


def _words(resize: ResizeNode) -> dict[str, Any]:
    return {
        "op": resize.op,
        "mode": resize.mode,
        "coordinate_transformation_mode": resize.coordinate_transformation_mode,
        "nearest_mode": resize.nearest_mode if resize.mode == "nearest" else None,
    }


def _entry(
    old: ResizeNode, words: dict[str, Any], now: ResizeNode | None, wish: Intent, changes: list[Change]
) -> dict[str, Any]:
    effects = [change.effect for change in changes]
    effect = max(effects, key=_STRENGTH.index) if effects else None
    after = _NOTHING if now is None else _words(now)
    return {
        "node": old.name,
        "graph": old.graph_path,
        "op": words["op"] or after["op"],
        "mode": after.get("mode") or words["mode"],
        **{
            name: {"before": words[name], "after": after[name]}
            for name in ("coordinate_transformation_mode", "nearest_mode")
        },
        "input_shape": None if old.input_shape is None else list(old.input_shape),
        "output_shape": None if old.output_shape is None else list(old.output_shape),
        "intent": wish.name,
        "intent_from": wish.source,
        "effect": "cleanup" if now is None else effect,
        "max_shift_px": _largest_shift(changes),
        "coreml": None if now is None else coreml_expression(semantics_of(now)[0]),
    }


def _largest_shift(changes: list[Change]) -> float | None:
    """Over all corrections; 0 without any, None where one of them is of unknown size."""
    shifts = [change.max_shift_px for change in changes if change.effect == "correction"]
    known = [shift for shift in shifts if shift is not None]
    return None if len(known) < len(shifts) else max(known, default=0.0)


def _invalid_input(verdict: Verdict, model: Model) -> InputError:
    return InputError(
        f"the input is not a valid model; {verdict.error}",
        file=model.path,
        remedy="repair or export it again (--no-check writes the output anyway)",
    )
