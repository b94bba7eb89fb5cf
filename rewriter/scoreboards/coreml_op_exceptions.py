"""Apple's triples that the simulator does not match, one by one, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["EXCEPTIONS", "TripleException", "find_exception"]


@dataclass(frozen=True)
class TripleException:
    """One kind of triple that is not matched.

    Attributes:
        test: what the pytest id of the triple contains.
        status: the status that the record has instead of "matched".
        detail: what the record's detail contains.
        reason: why that is right.
    """

    test: str
    status: str
    detail: str
    reason: str

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Whether this is the explanation of a record."""
        return (
            self.test in record["test"]
            and record["status"] == self.status
            and self.detail in record["detail"]
        )


def find_exception(record: Mapping[str, Any]) -> TripleException | None:
    """The exception that explains a record, or None."""
    return next((exception for exception in EXCEPTIONS if exception.covers(record)), None)


EXCEPTIONS = (
    TripleException(
        "TestNormalizationBatchNorm::test_builder_to_backend_smoke",
        "failed",
        "must have the same data type as the named input",
        "coremltools cannot read back a batch_norm with float16 parameters: it adds a float32 epsilon and rejects it",
    ),
    TripleException(
        "test_builder_to_backend_symbolic",
        "unsupported",
        "Variadic dimensions not yet implemented",
        "coremltools cannot read back a program whose output has an unknown rank",
    ),
    TripleException(
        "iOS15/test_image_resizing.py::TestCropResize::test_builder_to_backend_smoke",
        "mismatched",
        "instead of [3.5, 5.5, 11.5, 13.5]",
        "the box is inverted and outside of the documented range: normalised coordinates 2 to 1",
    ),
    TripleException(
        "test_ios17_invalid_indices",
        "refused",
        "out of bounds",
        "indices out of bounds on purpose; the test itself wants an error",
    ),
)
