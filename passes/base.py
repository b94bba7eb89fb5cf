"""What a pass is, what it reports, and the manager that runs passes in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from passes.recorded import Recorded
from rewriter.errors import PassError, RewriterError

if TYPE_CHECKING:
    from rewriter.intent import Intents
    from rewriter.model import Model

__all__ = ["Change", "Effect", "Log", "Note", "Pass", "PassContext", "PassManager", "PassResult", "naming"]

Effect = Literal["respelling", "correction", "cleanup"]
"""`respelling` keeps what the node computes, proved; `correction` changes it to meet an intent; `cleanup` removes
what has no effect."""


@dataclass(frozen=True)
class Change:
    """One thing that a pass changed.

    Attributes:
        pass_: name of the pass.
        graph: path of the graph, e.g. ``main/If_3/then_branch``.
        node: name of the node (of its first output where it has none); None for the model as a whole.
        attribute: what changed: an attribute, ``op_type``, an input, ``opset_import``, ``node``.
        old, new: plain values; None for absent.
        why: one clause.
        effect: see `Effect`.
        certificate: proof of a respelling or cleanup.
        max_shift_px: largest shift of the sampling grid of a correction, in input pixels; None at unknown shapes.
        max_weight_difference: largest difference of two interpolation weights; None at unknown shapes.
    """

    pass_: str
    graph: str
    node: str | None
    attribute: str
    old: Any
    new: Any
    why: str
    effect: Effect
    certificate: Mapping[str, Any] | None = None
    max_shift_px: float | None = None
    max_weight_difference: float | None = None

    def to_json(self) -> dict[str, Any]:
        """An entry of the JSON key ``changes``."""
        entry: dict[str, Any] = {
            "pass": self.pass_,
            "graph": self.graph,
            "node": self.node,
            "attribute": self.attribute,
            "old": self.old,
            "new": self.new,
            "why": self.why,
            "effect": self.effect,
        }
        if self.effect == "correction":
            entry["max_shift_px"] = self.max_shift_px
            entry["max_weight_difference"] = self.max_weight_difference
        elif self.certificate is not None:
            entry["certificate"] = dict(self.certificate)
        return entry


@dataclass(frozen=True)
class Note:
    """Something that a pass left alone, and why."""

    pass_: str
    graph: str
    node: str | None
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"pass": self.pass_, "graph": self.graph, "node": self.node, "message": self.message}


@dataclass(frozen=True)
class PassResult:
    """What one pass, or several in a row, did."""

    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()

    def __add__(self, other: PassResult) -> PassResult:
        return PassResult(self.changes + other.changes, self.notes + other.notes)


@dataclass
class Log:
    """Collects the changes and notes of one run of a pass."""

    pass_: str
    changes: list[Change] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def change(
        self,
        graph: str,
        node: str | None,
        attribute: str,
        old: Any,
        new: Any,
        why: str,
        effect: Effect,
        **proof: Any,
    ) -> None:
        """Record a change; `proof` are the optional fields of `Change`."""
        self.changes.append(Change(self.pass_, graph, node, attribute, old, new, why, effect, **proof))

    def note(self, graph: str, node: str | None, message: str) -> None:
        """Record that something was left alone."""
        self.notes.append(Note(self.pass_, graph, node, message))

    def result(self) -> PassResult:
        return PassResult(tuple(self.changes), tuple(self.notes))


@dataclass(frozen=True)
class PassContext:
    """What passes need to know beside the model.

    Attributes:
        intents: decides what each resize should compute; the default reads provenance, then the default rule.
    """

    intents: Intents

    @classmethod
    def default(cls) -> PassContext:
        from rewriter.intent import Intents

        return cls(Intents.auto())


@dataclass(frozen=True)
class Pass(ABC):
    """A rewrite of a model. Subclasses are frozen dataclasses whose fields are the options of the pass.

    A pass edits `model.graph` (and everything that `model.scopes()` yields) in place, records each change, and
    changes nothing when it is run again.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def run(self, model: Model, context: PassContext) -> PassResult:
        """Rewrite `model` in place and say what was changed."""


@dataclass(frozen=True)
class PassManager:
    """Runs passes in order and stops at the first that breaks the model.

    Attributes:
        passes: what to run: passes, or names of registered ones.
        context: handed to each pass.
        verify: ``"off"``, or ``"each"``: after each pass that only respelled or cleaned up, run the model before
            and after on seeded inputs in onnxruntime and stop at the pass that changed the numbers, or that
            changed the model without recording it.
    """

    passes: Sequence[Pass | str]
    context: PassContext = field(default_factory=PassContext.default)
    verify: Literal["off", "each"] = "off"

    def run(self, model: Model) -> PassResult:
        """Run all passes on `model` in place.

        Raises:
            PassError: a pass failed, left an unsound graph, or (with `verify`) changed the numbers.
            UsageError: an unknown pass; a rule that matches no resize; align_corners forced on a resize that is
                recorded as half_pixel, by a rule or by a pass, without an ``--intent``.
            RewriterError: a pass refused, and says why.
        """
        from passes.registry import get

        chosen = [get(entry) if isinstance(entry, str) else entry for entry in self.passes]
        with naming(model):
            recorded = Recorded.of(model, self.context.intents)
            self.context.intents.require_all_used()
        result = PassResult()
        for pass_ in chosen:
            done = self._run_one(pass_, model)
            with naming(model):
                recorded.require_kept(pass_.name, done)
            result += done
        if self.verify == "off" and result.changes:
            self._validate(chosen, model)
        return result

    def _run_one(self, pass_: Pass, model: Model) -> PassResult:
        before = model.to_bytes() if self.verify == "each" else b""
        try:
            with naming(model):
                result = pass_.run(model, self.context)
        except RewriterError:
            raise
        except Exception as error:
            self._validate(self._until(pass_), model)  # an earlier pass may be what broke the graph
            raise PassError(
                f"pass {pass_.name} failed: {type(error).__name__}: {error}",
                file=model.path,
                remedy=f"leave it out with --skip {pass_.name}",
            ) from error
        if not isinstance(result, PassResult):
            raise PassError(
                f"pass {pass_.name} returned a {type(result).__name__}, not a PassResult",
                file=model.path,
                remedy="end its run with: return log.result()",
            )
        if self.verify == "each":
            if result.changes:
                self._validate([pass_], model)
            self._compare(pass_, model, before, result)
        return result

    def _until(self, last: Pass) -> list[Pass]:
        """The passes that ran before `last`."""
        from passes.registry import get

        chosen = [get(entry) if isinstance(entry, str) else entry for entry in self.passes]
        return chosen[: next((i for i, entry in enumerate(chosen) if entry is last or entry == last), 0)]

    def _validate(self, ran: Sequence[Pass], model: Model) -> None:
        """Check the graph, and where it is unsound find out by running them again which of `ran` broke it.

        Checking once, and not after each pass, is what most rewrites pay for.
        """
        from passes.soundness import problems

        found = problems(model) if ran else None
        again = model.fresh() if found is not None else None
        if again is None or problems(again) is not None:
            return
        name = ran[-1].name
        for pass_ in ran if len(ran) > 1 else ():
            pass_.run(again, self.context)
            if problems(again) is not None:
                name = pass_.name
                break
        raise PassError(f"pass {name} left the model unsound: {found}", file=model.path)

    @staticmethod
    def _compare(pass_: Pass, model: Model, before: bytes, result: PassResult) -> None:
        from passes.numeric import difference

        after = model.to_bytes()
        if after == before or any(change.effect == "correction" for change in result.changes):
            return
        if not result.changes:
            raise PassError(
                f"pass {pass_.name} changed the model without recording a change", file=model.path
            )
        found = difference(before, after, None if model.path is None else model.path.parent)
        if found is not None:
            raise PassError(f"pass {pass_.name} changed the numbers: {found}", file=model.path)


@contextmanager
def naming(model: Model) -> Iterator[None]:
    """Errors without a file get the model's."""
    try:
        yield
    except RewriterError as error:
        if error.file is None and model.path is not None:
            error.file = str(model.path)
        raise
