"""What a reference's outputs say about each resize: which mode was meant, and how that is known.

A golden file or a reference model is enough; nothing else has to be known of where the model came from.
"""

from rewriter.evidence.gathering import Inquiry, gather
from rewriter.evidence.report import Evidence, NodeEvidence

__all__ = ["Evidence", "Inquiry", "NodeEvidence", "gather"]
