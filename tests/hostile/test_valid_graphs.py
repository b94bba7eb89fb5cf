"""Random valid models: `rewrite --intent preserve` keeps the values, and a second run changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner

from rewriter.cli.rewrite import main
from tests.hostile.valid_graphs import random_model
from tests.model.onnx_models import run

COUNT, ALL = 150, 5000


def check(seed: int, folder: Path) -> Counter[str]:
    """One model through the command twice; what was in it, counted."""
    model, feeds = random_model(seed)
    source, once, twice = (folder / f"{name}.onnx" for name in ("in", "once", "twice"))
    onnx.save(model, source)
    wanted = run(model, feeds)
    arguments = ["--intent", "preserve", "-o"]
    result = CliRunner().invoke(main, [str(source), *arguments, str(once)])
    assert result.exit_code == 0, (seed, result.output)
    found = run(once.read_bytes(), feeds)
    assert len(found) == len(wanted)
    for a, b in zip(wanted, found, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype, seed
        # Sizes instead of scales let onnxruntime take another of its kernels, which rounds in another order.
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5, err_msg=f"seed {seed}")
    assert CliRunner().invoke(main, [str(once), *arguments, str(twice)]).exit_code == 0
    assert twice.read_bytes() == once.read_bytes(), seed
    kinds = Counter(node.op_type for node in model.graph.node)
    kinds["function"] += len(model.functions)
    kinds[f"opset {model.opset_import[0].version}"] += 1
    return kinds


def test_a_sample(tmp_path: Path) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(COUNT):
        kinds += check(seed, tmp_path)
    assert min(kinds[kind] for kind in ("Resize", "Upsample", "If", "function", "opset 7", "opset 23")) >= 3


@pytest.mark.parametrize("seed", [0, 2453, 3020, 3505])
def test_found_by_the_long_run(seed: int, tmp_path: Path) -> None:
    """A shape that a rewrite makes known; a resize dropped before shapes of others were asked for."""
    check(seed, tmp_path)


@pytest.mark.slow
def test_all(tmp_path: Path) -> None:
    assert onnxruntime.__version__
    for seed in range(ALL):
        check(seed, tmp_path)
