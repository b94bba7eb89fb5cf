"""Case simulator: a prediction by the Core ML simulator beside one by onnxruntime, in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.contenders import Contender, console_script, job, missing
from benchmarks.graphs import write_model
from benchmarks.networks import mobilenet_v2
from benchmarks.results import Point
from benchmarks.session import Session
from rewriter.errors import UnsupportedError

__all__ = ["measure"]

_TOLERANCE = 1e-4


def measure(session: Session) -> tuple[Point, ...]:
    """All of it; the first prediction of each process is not timed.

    Raises:
        UnsupportedError: coremltools is not installed.
    """
    if missing("coremltools") is not None:
        raise UnsupportedError("coremltools is not installed")
    size = session.size(224, 64)
    source = write_model(mobilenet_v2(size), session.folder / "mobilenet_v2.onnx")
    package = session.folder / "mobilenet_v2.mlpackage"
    session.say("  lowering MobileNetV2")
    lower = ("coreml", str(source), "-o", str(package), "--precision", "float32")
    session.prepare((*console_script("rewriter"), *lower))
    image = session.folder / "image.npy"
    np.save(image, np.random.default_rng(5).random((1, 3, size, size), dtype=np.float32))
    expected = session.folder / "onnxruntime.npy"
    count = session.size(20, 2)

    def contender(key: str, label: str, role: str, engine: str, model: Path, output: Path) -> Contender:
        times = session.folder / f"{engine}.json"
        return Contender(
            key=key,
            label=label,
            role=role,
            argv=job("predict.py", engine, model, image, output, times, count),
            runs=session.runs.few,
            outputs=(times,) if role == "base" else (times, output),
            timing=times,
            complaint=None if role == "base" else _differs(output, expected),
        )

    ours = session.folder / "simulator.npy"
    runners = [
        contender("onnxruntime-predicts", "onnxruntime, 2 threads", "base", "onnxruntime", source, expected),
        contender("simulator", "Core ML simulator", "ours", "simulator", package, ours),
    ]
    return (Point(size, session.compare(runners), {"size": size, "predictions_per_run": count}),)


def _differs(output: Path, expected: Path) -> Callable[[], str | None]:
    def complaint() -> str | None:
        difference = float(np.abs(np.load(output) - np.load(expected)).max())
        return None if difference <= _TOLERANCE else f"differs from onnxruntime by {difference:.2g}"

    return complaint
