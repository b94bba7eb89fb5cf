"""Case e: what it costs to start each command."""

from __future__ import annotations

import sys

import click

from benchmarks.contenders import Contender, console_script, rewrite
from benchmarks.graphs import BLOCK, chain_of_blocks, write_model
from benchmarks.results import Point
from benchmarks.session import Session

__all__ = ["measure"]


def measure(session: Session) -> tuple[Point, ...]:
    """All of it."""
    runs = session.size(2 * session.runs.many + 1, session.runs.many)
    source = write_model(chain_of_blocks(BLOCK), session.folder / "small.onnx")
    target = session.folder / "out.onnx"
    runners = [
        _python("import-nothing", "python -c pass", "peer", "pass", runs),
        _python("import-click", 'python -c "import click"', "base", "import click", runs),
        _python("import-onnx", 'python -c "import onnx"', "base", "import onnx", runs),
        _help("rewrite --help", console_script("rewrite"), runs),
        _help("rewriter --help", console_script("rewriter"), runs),
        *(
            _help(f"rewriter {name} --help", (*console_script("rewriter"), name), runs)
            for name in _commands()
        ),
        rewrite(source, target, 1, runs),
        rewrite(source, target, 1, runs, check=False),
    ]
    session.warm_up(runners)
    point = Point(0, session.compare(runners), {"nodes": BLOCK})
    return (point,)


def _commands() -> list[str]:
    """The subcommands of `rewriter`."""
    from rewriter.cli.main import main

    return main.list_commands(click.Context(main))


def _help(label: str, command: tuple[str, ...], runs: int) -> Contender:
    key = label.replace(" --help", " help").replace(" ", "-")
    return Contender(key, label, "ours", (*command, "--help"), runs)


def _python(key: str, label: str, role: str, code: str, runs: int) -> Contender:
    return Contender(key, label, role, (sys.executable, "-c", code), runs)
