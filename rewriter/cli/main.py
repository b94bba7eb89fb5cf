"""The `rewriter` command: a group whose subcommands are imported only when they are used."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "alignment": "Report branches of a model that meet on different pixels.",
    "coreml": "Lower an ONNX model to Core ML.",
    "convert": "Convert a TensorFlow or Keras model to ONNX, with provenance.",
    "deploy": "Convert, rewrite, verify, lower, verify again, report.",
    "diff": "Show what differs between two ONNX files, field by field.",
    "doctor": "Show what is installed and what each extra would add.",
    "figure": "Draw where the segmentations of networks part, and which pixels they sample.",
    "fingerprint": "Find out which resize a file, a node or a Python callable computes.",
    "inspect": "Show every Resize of a model: what it computes and how Core ML can express it.",
    "passes": "List the passes.",
    "simulate": "Run a Core ML model on any machine.",
    "verify": "Compare a reference with candidates; exit code 1 when they differ.",
}


class LazyGroup(click.Group):
    """Knows the names and one-line helps of its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command = importlib.import_module(f"rewriter.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rewriter", prog_name="rewriter")
def main() -> None:
    """Carry resize semantics exactly from TensorFlow through ONNX to Core ML, and prove it."""
