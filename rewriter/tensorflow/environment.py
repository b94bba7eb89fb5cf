"""Imports TensorFlow without its start-up messages."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType

from rewriter.errors import require

__all__ = ["import_tensorflow"]


def import_tensorflow(purpose: str) -> ModuleType:
    """Import TensorFlow and Keras; what their native code prints meanwhile is dropped.

    Args:
        purpose: what they are needed for, e.g. ``"to open Keras models"``.

    Returns:
        The module `tensorflow`.

    Raises:
        MissingExtraError: TensorFlow or Keras is not installed.
    """
    if "tensorflow" in sys.modules and "keras" in sys.modules:
        return sys.modules["tensorflow"]
    with _silent_stderr():
        tensorflow = require("tensorflow", purpose)
        require("keras", purpose)
    return tensorflow


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """File descriptor 2 leads nowhere inside the block; exceptions pass through.

    TF_CPP_MIN_LOG_LEVEL does not reach the lines that absl writes before its logging is initialised, and they
    bypass `sys.stderr`.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # the process was started with stderr closed: there is nothing to silence
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
