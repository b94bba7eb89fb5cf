"""`rewriter scoreboard NAME`: whole matrices of operators, measured against what others wrote.

A scoreboard is one line in `_SCOREBOARDS` and one module `rewriter/cli/scoreboard_NAME.py` with a click command
called ``command``; what it measures is in `rewriter.scoreboards`.
"""

from __future__ import annotations

import click

from rewriter.cli.lazy import LazyGroup

_SCOREBOARDS = {
    "image-ops": "TensorFlow's image ops, converted to ONNX, against TensorFlow eager.",
    "onnx-node-tests": "ONNX's own tests, lowered to Core ML and simulated.",
    "mutants": "Wrong resizes in the sample networks, and whether verification finds and names them.",
    "coreml-ops": "Apple's operator tests, converted, saved and simulated, against Apple's expected values.",
}


@click.group(cls=LazyGroup, commands_of="rewriter.cli.scoreboard_", helps=_SCOREBOARDS)
def command() -> None:
    """Count what is right, refused and wrong over a whole matrix of operators; exit code 1 if anything is wrong."""
