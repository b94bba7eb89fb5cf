"""Are branches that meet on the same pixels? The pixel grid, followed through a whole model."""

from rewriter.alignment.analysis import Alignment, OutputGrid, Unknown, analyse
from rewriter.alignment.merging import Merge

__all__ = ["Alignment", "Merge", "OutputGrid", "Unknown", "analyse"]
