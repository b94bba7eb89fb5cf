"""What may be chosen at each resize, and choices as assignments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rewriter.verification.refit.candidate import Assignment
from rewriter.verification.refit.surrogate import Choice
from rewriter.verification.refit.suspects import Reach, Spelling, Suspect

__all__ = ["Options"]


class Options:
    """Numbered options of each suspect: 0 is what it computes now; numbers stay when more are opened.

    Args:
        suspects: the resizes.
        case: which lengths count.
        frozen: indices of those that have no other option.
    """

    def __init__(self, suspects: Sequence[Suspect], case: str, frozen: frozenset[int]) -> None:
        self._suspects, self._case, self._frozen = suspects, case, frozen
        self._spellings: list[list[Spelling | None]] = [[None] for _ in suspects]
        self._near = [1 for _ in suspects]
        self._usual = [1 for _ in suspects]

    def __len__(self) -> int:
        return len(self._suspects)

    @property
    def counts(self) -> list[int]:
        """How many options each suspect has."""
        return [len(spellings) for spellings in self._spellings]

    def open(self, reach: Reach) -> None:
        """Add the alternatives within reach that compute something else than those that are there."""
        for index, suspect in enumerate(self._suspects):
            if index in self._frozen:
                continue
            for spelling in suspect.alternatives(self._case, reach):
                self._number(index, spelling)
            if reach == "coordinates":
                self._near[index] = len(self._spellings[index])
            if reach in ("coordinates", "usual"):
                self._usual[index] = len(self._spellings[index])

    def is_near(self, index: int, option: int) -> bool:
        """Whether an option differs from what is there by coordinates alone, or was suggested."""
        return option < self._near[index]

    def spelling(self, index: int, option: int) -> Spelling | None:
        return self._spellings[index][option]

    def assignment(self, choice: Choice) -> dict[int, Spelling]:
        """What is changed; what stays as it is is left out."""
        chosen = {index: self._spellings[index][option] for index, option in enumerate(choice)}
        return {index: spelling for index, spelling in chosen.items() if spelling is not None}

    def choice_of(self, assignment: Assignment) -> Choice:
        """The choice that an assignment means; its spellings become options where they are none yet."""
        return tuple(
            0 if index in self._frozen or index not in assignment else self._number(index, assignment[index])
            for index in range(len(self))
        )

    def uniform(self) -> Iterator[Choice]:
        """All resizes spelled alike, as far as each can be."""
        known = dict.fromkeys(s for spellings in self._spellings for s in spellings if s is not None)
        for coordinates in dict.fromkeys(spelling.coordinate_transformation_mode for spelling in known):
            choice = tuple(self._first(index, coordinates) for index in range(len(self)))
            if sum(map(bool, choice)) > 1:
                yield choice

    def singles(self, base: Choice, *, usual: bool = False) -> Iterator[Choice]:
        """All choices that differ from a base at one resize, the likeliest option of each resize first."""
        counts = self._usual if usual else self.counts
        for option in range(max(counts, default=0)):
            for index, count in enumerate(counts):
                if option < count and option != base[index]:
                    yield (*base[:index], option, *base[index + 1 :])

    def _first(self, index: int, coordinates: str) -> int:
        """The first option of these coordinates; 0 where it has none, which may be because it is it already."""
        for option, spelling in enumerate(self._spellings[index]):
            if spelling is not None and spelling.coordinate_transformation_mode == coordinates:
                return option
        return 0

    def _number(self, index: int, spelling: Spelling) -> int:
        """The option that computes the same as a spelling."""
        suspect, spellings = self._suspects[index], self._spellings[index]
        for option, known in enumerate(spellings):
            if suspect.is_same(known, spelling, self._case):
                return option
        spellings.append(spelling)
        return len(spellings) - 1
