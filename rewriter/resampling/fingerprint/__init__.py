"""Which resize is this? Any function on arrays → its matrices → its name in every framework's words."""

from rewriter.resampling.fingerprint.identify import fingerprint
from rewriter.resampling.fingerprint.result import Fingerprint, Nearest

__all__ = ["Fingerprint", "Nearest", "fingerprint"]
