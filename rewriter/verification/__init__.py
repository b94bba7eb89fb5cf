"""May this model ship? Runners, probe inputs, metrics, diagnosis and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rewriter.verification.testing import assert_equivalent
    from rewriter.verification.verifier import verify

__all__ = ["assert_equivalent", "verify"]


def __getattr__(name: str) -> Any:
    # Running models needs onnxruntime; reading a result does not.
    if name == "verify":
        from rewriter.verification.verifier import verify

        return verify
    if name == "assert_equivalent":
        from rewriter.verification.testing import assert_equivalent

        return assert_equivalent
    raise AttributeError(name)
