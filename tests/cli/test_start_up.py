"""Starting a command must not import the heavy packages that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "coremltools", "onnxruntime", "tf2onnx", "matplotlib", "jinja2")


def _imported(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", ["rewriter", "passes", "rewriter.cli.main", "rewriter.cli.rewrite"])
def test_importing_a_package_imports_nothing_heavy(module: str) -> None:
    assert not _imported(f"import {module}").intersection(HEAVY)


@pytest.mark.parametrize("module", ["rewriter.cli.rewrite", "rewriter.cli.main"])
def test_help_imports_nothing_heavy(module: str) -> None:
    code = f"from click.testing import CliRunner\nfrom {module} import main\n" + (
        "result = CliRunner().invoke(main, ['--help'])\n"
        "assert result.exit_code == 0 and 'Usage' in result.output, result.output"
    )
    assert not _imported(code).intersection({*HEAVY, "onnx", "onnx_graphsurgeon", "numpy", "rich"})


def test_every_listed_command_exists_and_explains_itself() -> None:
    from click.testing import CliRunner

    from rewriter.cli.main import _COMMANDS, main

    for name in _COMMANDS:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, (name, result.output)
        assert "Usage" in result.output
