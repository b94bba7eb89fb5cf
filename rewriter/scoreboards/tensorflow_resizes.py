"""coremltools' own tests of TensorFlow's image resizing as an oracle for the simulator.

The coremltools wheel ships the tests of its TensorFlow converter. Each converts a small TensorFlow function, and off
macOS stops there. Here the comparison that would follow on a Mac is replaced: the model is saved, simulated, and held
against what TensorFlow computed, at the test's own tolerance for float32, and at 1e-2 of the largest value for
float16.

    python -m rewriter.scoreboards.tensorflow_resizes -o r.json

It replaces parts of coremltools, so it runs in a process of its own.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Record", "measure"]

Record = dict[str, Any]
_CLASSES = {
    "tensorflow/test/test_ops.py": ("TestImageResizing",),
    "tensorflow2/test/test_v2_ops.py": ("TestImageTransform", "TestResizeNearestNeighbor"),
}
_KEYWORD = "TestImageResizing or TestImageTransform or TestResizeNearestNeighbor"
_FLOAT16 = 1e-2


def measure(keyword: str = _KEYWORD) -> list[Record]:
    """Run them in a process of their own; one record for each comparison: `test`, `status` and `detail`.

    Args:
        keyword: pytest's ``-k`` expression, to run fewer.

    `status` is "matched", "mismatched", "unsupported" (no kernel) or "failed" (the simulator raised).
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "records.json"
        command = [sys.executable, "-m", __name__, "-o", str(out), "--keyword", keyword]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not out.exists():
            raise RuntimeError(f"the tests did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return list(json.loads(out.read_text()))


class _FrozenHeap:
    """Pytest plug-in: coremltools collects garbage after each conversion, slow with TensorFlow on the heap."""

    def pytest_collection_modifyitems(self) -> None:
        gc.collect()
        gc.freeze()


class _Comparison:
    """Stands in for `compare_backend`."""

    def __init__(self, folder: Path) -> None:
        self.records: list[Record] = []
        self._folder = folder

    def __call__(
        self,
        mlmodel: Any,
        inputs: Mapping[str, Any],
        expected: Mapping[str, Any],
        *,
        atol: float = 1e-4,
        rtol: float = 1e-5,
        dtype: str = "fp32",
        **_: Any,
    ) -> dict[str, Any]:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rsplit(" (", 1)[0]
        status, detail = self._judge(mlmodel, inputs, expected, max(atol, 1e-4), max(rtol, 1e-5), dtype)
        self.records.append({"test": test, "status": status, "detail": detail})
        return {}

    def _judge(
        self,
        mlmodel: Any,
        inputs: Mapping[str, Any],
        expected: Mapping[str, Any],
        atol: float,
        rtol: float,
        dtype: str,
    ) -> tuple[str, str]:
        from rewriter.coreml.simulator import load
        from rewriter.errors import UnsupportedError

        path = self._folder / f"{len(self.records)}.mlpackage"
        mlmodel.save(str(path))
        try:
            found = load(path).predict(dict(inputs))
        except UnsupportedError as error:
            return "unsupported", str(error)
        except Exception:
            return "failed", traceback.format_exc(limit=-3)
        for name, wanted in expected.items():
            have, want = np.asarray(found[name], np.float64), np.asarray(wanted, np.float64)
            if have.shape != want.shape:
                return "mismatched", f"{name}: shape {have.shape} instead of {want.shape}"
            slack = _FLOAT16 * np.abs(want).max(initial=1) if dtype == "fp16" else 0.0
            if not np.allclose(have, want, rtol=rtol, atol=atol + slack, equal_nan=True):
                return "mismatched", f"{name}: off by {np.abs(have - want).max():.3g}"
        return "matched", ""


def _run(output: Path, keyword: str) -> None:
    import coremltools as ct
    import coremltools.converters.mil.testing_reqs as requirements
    import pytest

    requirements.backends = [("mlprogram", "fp32"), ("mlprogram", "fp16")]
    ct.utils._macos_version = lambda: (15, 0)  # some tests skip themselves on older systems than that
    # The two modules import each other; this order works.
    importlib.import_module("coremltools.converters.mil.frontend.tensorflow.test.testing_utils")
    testing_utils: Any = importlib.import_module(
        "coremltools.converters.mil.frontend.tensorflow2.test.testing_utils"
    )
    frontend = Path(testing_utils.__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        comparison = _Comparison(Path(folder))
        testing_utils.compare_backend = comparison
        testing_utils._macos_version = lambda: (15, 0)
        options = [
            "-q",
            "--tb=no",
            "--no-header",
            "-W",
            "ignore",
            "--import-mode=importlib",
            "-p",
            "no:cacheprovider",
        ]
        options += [
            "-o",
            "addopts=",
            "-c",
            os.devnull,
            f"--rootdir={frontend}",
            "-k",
            _KEYWORD,
            "-p",
            "no:randomly",
        ]
        pytest.main([*(str(frontend / name) for name in _CLASSES), *options], plugins=[_FrozenHeap()])
    output.write_text(json.dumps(comparison.records))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--keyword", default=_KEYWORD)
    arguments = parser.parse_args()
    _run(arguments.output, arguments.keyword)
