"""coremltools without its log lines and progress bars; its steps go to a callback instead."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rewriter.errors import require

__all__ = ["quiet_coremltools"]

_PIPELINE = "coremltools.converters.mil.mil.passes.pass_pipeline"


@contextmanager
def quiet_coremltools(progress: Callable[[str, int, int], None] | None = None) -> Iterator[None]:
    """Silence coremltools inside the block and report its graph passes to `progress`.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    logger = logging.getLogger("coremltools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline: Any = _import_pipeline()
            bar = pipeline.tqdm
            pipeline.tqdm = _reporter(progress)
            try:
                yield
            finally:
                pipeline.tqdm = bar
    finally:
        logger.setLevel(level)


def _import_pipeline() -> Any:
    if "coremltools" not in sys.modules:
        with _silent_stderr():
            require("coremltools", "to write a Core ML model")
    # coremltools resets its logger's level when it is imported.
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    return require(_PIPELINE, "to write a Core ML model")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Close the process's stderr for a moment.

    coremltools imports TensorFlow where it is installed, which writes there from C++, before any log level applies.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:  # noqa: PTH123 - a descriptor is needed
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _reporter(progress: Callable[[str, int, int], None] | None) -> Callable[..., Iterator[Any]]:
    """Stands in for tqdm: iterates, and tells `progress` how far it is."""

    def report(items: Iterable[Any], *_: Any, desc: str = "", **__: Any) -> Iterator[Any]:
        steps = list(items)
        for index, step in enumerate(steps):
            if progress is not None:
                progress("optimising", index, len(steps))
            yield step

    return report
