"""What is fed with damaged files, and what it must never do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rewriter.errors import RewriterError

__all__ = ["TARGETS", "BrokenPromiseError"]

Target = Callable[[bytes, Path], str]
"""Takes the bytes and an empty folder; returns ``accepted`` or ``refused``; anything raised is a finding."""


class BrokenPromiseError(AssertionError):
    """The tool did what it says it never does."""


def reader(data: bytes, folder: Path) -> str:
    """Read a model, look at everything that `rewriter inspect` looks at, and write it back unchanged."""
    from rewriter.model import Model

    try:
        model = Model.from_bytes(data)
        for scope in model.scopes():
            for node in scope.graph.nodes:
                model.provenance(node)
                for tensor in node.outputs:
                    model.shape(tensor, scope)
        for resize in model.resizes():
            _ = resize.mode, resize.lengths, resize.scales, resize.is_parametric
        if model.to_bytes() != data:
            raise BrokenPromiseError("a model that nobody edited was written with other bytes")
    except RewriterError:
        return "refused"
    return "accepted"


def rewrite(data: bytes, folder: Path) -> str:
    """The command `rewrite`, as a user runs it."""
    from click.testing import CliRunner

    from rewriter.cli.rewrite import main

    source, target = folder / "in.onnx", folder / "out.onnx"
    source.write_bytes(data)
    result = CliRunner().invoke(main, [str(source), "-o", str(target)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code not in (0, 2):
        raise BrokenPromiseError(f"exit code {result.exit_code}: {result.output[-300:]}")
    if "Traceback" in result.output:
        raise BrokenPromiseError(result.output[-2000:])
    if source.read_bytes() != data:
        raise BrokenPromiseError("the input changed")
    if target.exists() != (result.exit_code == 0):
        raise BrokenPromiseError("an output after a refusal, or none after success")
    if result.exit_code and not result.output.startswith("error:"):
        raise BrokenPromiseError(f"no sentence: {result.output[:300]!r}")
    if {each.name for each in folder.iterdir()} - {"in.onnx", "out.onnx"}:
        raise BrokenPromiseError("something was left beside the output")
    return "refused" if result.exit_code else "accepted"


def rules(data: bytes, folder: Path) -> str:
    """The file of intent rules."""
    from rewriter.intent_rules import read_rules

    path = folder / "rules.toml"
    path.write_bytes(data)
    try:
        read_rules(path)
    except RewriterError:
        return "refused"
    return "accepted"


def mlpackage(data: bytes, folder: Path) -> str:
    """The simulator's reader, on a package whose program is damaged."""
    import shutil

    from rewriter.coreml import simulator
    from tests.hostile.fuzzing.packages import package_around

    package = package_around(data, folder)
    try:
        simulator.load(package)
    except RewriterError:
        return "refused"
    finally:
        shutil.rmtree(package)
    return "accepted"


TARGETS: dict[str, Target] = {"reader": reader, "rewrite": rewrite, "rules": rules, "mlpackage": mlpackage}
