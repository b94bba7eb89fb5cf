"""What a fingerprint says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from rewriter.resampling.fingerprint.matching import Match
from rewriter.resampling.proof import ShiftProfile
from rewriter.resampling.vocabulary import FRAMEWORKS

__all__ = ["Fingerprint", "Kind", "Nearest"]

Kind = Literal["resize", "identity", "unnamed", "not_a_resize"]
_LAYOUTS = {
    (3, (1,)): "NWC",
    (3, (2,)): "NCW",
    (4, (1, 2)): "NHWC",
    (4, (2, 3)): "NCHW",
    (5, (1, 2, 3)): "NDHWC",
    (5, (2, 3, 4)): "NCDHW",
}


@dataclass(frozen=True)
class Nearest:
    """A word that comes close to a function that no word describes.

    Attributes:
        text: the word with its framework.
        difference: largest difference of any weight.
        shift: where the function looks, against where the word does, in input pixels.
    """

    text: str
    difference: float
    shift: ShiftProfile


@dataclass(frozen=True)
class Fingerprint:
    """Which resize a function computes.

    Attributes:
        kind: ``resize`` (named by `matches`), ``identity``, ``unnamed`` (linear and separable, but no word fits;
            see `nearest`) or ``not_a_resize`` (see `reason`).
        matches: every word that is the recovered matrix at all probed sizes.
        reason: why it is not a resize; or what goes with it (gain, offset).
        nearest: the words that come closest, where none fits.
        spatial: tensor axes that are resized.
        probes: input and output shapes that were probed.
        gain, offset: what values are multiplied by, and what is added.
        extrapolation: value of output pixels that take no input pixel; None where there are none.
        untold: (input, output) length at which the matches would differ, where the probes cannot tell.
        same_here: whether `matches` agree at every length that the function produces (its own factor).
        grid: per spatial axis the straight line through the positions: (position of pixel 0, spacing).
        calls: how often the function was called.
    """

    kind: Kind
    matches: tuple[Match, ...] = ()
    reason: str = ""
    nearest: tuple[Nearest, ...] = ()
    spatial: tuple[int, ...] = ()
    probes: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = ()
    gain: float = 1.0
    offset: float = 0.0
    extrapolation: float | None = None
    untold: tuple[int, int] | None = None
    same_here: bool = False
    grid: dict[int, tuple[float, float]] = field(default_factory=dict)
    dtype: str = "float32"
    calls: int = 0

    @property
    def layout(self) -> str | None:
        """``NHWC`` and the like, where the resized axes say so."""
        rank = len(self.probes[0][0]) if self.probes else 0
        return _LAYOUTS.get((rank, self.spatial))

    def words(self, framework: str | None = None) -> list[str]:
        """The matching words as text, of one framework or of all."""
        return [m.word.text for m in self.matches if framework in (None, m.word.framework)]

    def describe(self) -> str:
        """One line: what it is."""
        if self.kind == "not_a_resize":
            return f"not a resize: {self.reason}"
        if self.kind == "identity":
            return "identity: every output is its input"
        if self.kind == "unnamed":
            text = "a linear, separable map of pixels that none of the known words describes"
            if self.nearest:
                best = self.nearest[0]
                text += f"; nearest is {best.text}, largest weight difference {best.difference:.3g}"
            return text
        by_framework = {m.word.framework: m.word.text for m in reversed(self.matches)}
        first = next(name for name in FRAMEWORKS if name in by_framework)
        text = f"{first} {by_framework[first]}"
        more = len(self.matches) - 1
        if more:
            text += f" (and {more} other words for the same)"
        return f"{text}; {self.reason}" if self.reason else text

    def __str__(self) -> str:
        return self.describe()

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``rewriter fingerprint --json``."""
        return {
            "kind": self.kind,
            "summary": self.describe(),
            "words": [
                {
                    **match.word.to_json(),
                    "max_weight_difference": match.difference,
                    "tolerance": match.tolerance,
                    "float32_ties": match.ties,
                }
                for match in self.matches
            ],
            "reason": self.reason or None,
            "nearest": [
                {
                    "text": near.text,
                    "max_weight_difference": near.difference,
                    "shift_px": {
                        "left": near.shift.left,
                        "centre": near.shift.centre,
                        "right": near.shift.right,
                        "max": near.shift.max,
                    },
                }
                for near in self.nearest
            ],
            "layout": self.layout,
            "spatial_axes": list(self.spatial),
            "dtype": self.dtype,
            "probes": [
                {"input_shape": list(shape), "output_shape": list(result)} for shape, result in self.probes
            ],
            "gain": self.gain,
            "offset": self.offset,
            "extrapolation_value": self.extrapolation,
            "told_apart_at": None if self.untold is None else list(self.untold),
            "same_at_all_lengths_of_this_function": self.same_here,
            "grid": {
                str(axis): {"first_px": first, "spacing_px": spacing}
                for axis, (first, spacing) in self.grid.items()
            },
            "calls": self.calls,
        }
