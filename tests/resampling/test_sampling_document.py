"""The examples in docs/sampling.md are what the code answers, and its list of disagreements is the code's."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

from rewriter.resampling.disagreements import DISAGREEMENTS

DOCUMENT = Path(__file__).parents[2] / "docs" / "sampling.md"


def test_examples() -> None:
    failed, attempted = doctest.testfile(str(DOCUMENT), module_relative=False)
    assert attempted >= 8
    assert failed == 0


def test_every_disagreement_is_in_the_list() -> None:
    rows = re.findall(r"^\| ([ORT]\d+(?:, [ORT]\d+)*) \|", DOCUMENT.read_text(), flags=re.MULTILINE)
    assert {name for row in rows for name in row.split(", ")} == set(DISAGREEMENTS)
