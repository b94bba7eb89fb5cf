"""The `rewriter` command: a group whose subcommands are imported only when they are used."""

from __future__ import annotations

import click

from rewriter.cli.lazy import LazyGroup

_COMMANDS = {
    "alignment": "Report branches of a model that meet on different pixels.",
    "coreml": "Lower an ONNX model to Core ML.",
    "convert": "Convert a TensorFlow or Keras model to ONNX, with provenance.",
    "deploy": "Convert, rewrite, verify, lower, verify again, report.",
    "diff": "Show what differs between two ONNX files, field by field.",
    "doctor": "Show what is installed and what each extra would add.",
    "fingerprint": "Find out which resize a file, a node or a Python callable computes.",
    "inspect": "Show every Resize of a model: what it computes and how Core ML can express it.",
    "passes": "List the passes.",
    "scoreboard": "Count what is right, refused and wrong over a whole matrix of operators.",
    "simulate": "Run a Core ML model on any machine.",
    "verify": "Compare a reference with candidates; exit code 1 when they differ.",
}


@click.group(
    cls=LazyGroup,
    commands_of="rewriter.cli.",
    helps=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="rewriter", prog_name="rewriter")
def main() -> None:
    """Carry resize semantics exactly from TensorFlow through ONNX to Core ML, and prove it."""
