"""Which resizes explain a difference? Each is replaced by its matrices, which can then be exchanged at run time.

A resize is a linear map per axis, so a candidate whose resizes multiply by matrices *fed as inputs* is built once and
tries any meaning of any resize in one run. What comes before the first resize is computed once per case.
"""

from rewriter.verification.refit.candidate import Assignment, Refittable, open_refittable
from rewriter.verification.refit.search import Explanation, is_told_apart, search
from rewriter.verification.refit.suspects import Spelling, Suspect

__all__ = [
    "Assignment",
    "Explanation",
    "Refittable",
    "Spelling",
    "Suspect",
    "is_told_apart",
    "open_refittable",
    "search",
]
