"""Polygraphy: every tensor of two models compared, up to the first one that differs.

Usage: ``python find_difference.py REFERENCE.onnx CANDIDATE.onnx FINDING.json``. Exit code 1 when they differ.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    """Write the name of the first tensor that differs."""
    from polygraphy import constants
    from polygraphy.backend.onnx import BytesFromOnnx, ModifyOutputs, OnnxFromPath
    from polygraphy.backend.onnxrt import OnnxrtRunner, SessionFromOnnx
    from polygraphy.comparator import Comparator, DataLoader, SimpleCompareFunc
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    reference, candidate, finding = sys.argv[1:]
    runners = [
        OnnxrtRunner(
            SessionFromOnnx(BytesFromOnnx(ModifyOutputs(OnnxFromPath(path), outputs=constants.MARK_ALL)))
        )
        for path in (reference, candidate)
    ]
    ran = Comparator.run(runners, data_loader=DataLoader(seed=1))
    (compared,) = Comparator.compare_accuracy(
        ran, fail_fast=True, compare_func=SimpleCompareFunc(atol=1e-4, rtol=1e-4, fail_fast=True)
    )
    for iterations in compared.values():
        for outputs in iterations:
            for name, same in outputs.items():
                if not same:
                    Path(finding).write_text(json.dumps({"tensor": name}))
                    sys.exit(1)


if __name__ == "__main__":
    main()
