"""What differs between two ONNX files, field by field; and whether a rewrite changed only what it lists."""

from rewriter.difference.audit import Audit, audit
from rewriter.difference.files import compare_files
from rewriter.difference.result import Difference, Differences

__all__ = ["Audit", "Difference", "Differences", "audit", "compare_files"]
