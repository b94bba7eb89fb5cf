"""Case coreml: ResNet50 to a saved package, by this project from ONNX and by coremltools from TensorFlow."""

from __future__ import annotations

from pathlib import Path

from benchmarks.contenders import Contender, console_script, job, missing
from benchmarks.results import Point
from benchmarks.session import Session
from rewriter.errors import UnsupportedError

__all__ = ["measure"]


def measure(session: Session) -> tuple[Point, ...]:
    """All of it; the time is that of the conversion, from file to package, without the imports.

    Raises:
        UnsupportedError: TensorFlow, tf2onnx or coremltools is not installed.
    """
    absent = missing("coremltools", "tensorflow", "tf2onnx")
    if absent is not None:
        raise UnsupportedError(f"{absent} is not installed")
    session.say("  building ResNet50 in Keras and converting it to ONNX")
    session.prepare(job("convert.py", "build", session.folder))
    source = session.folder / "resnet50.onnx"
    tensorflow = session.folder / "resnet50"
    session.prepare((*console_script("rewriter"), "convert", str(tensorflow), "-o", str(source)))

    def contender(key: str, label: str, role: str, who: str, model: Path) -> Contender:
        package, times = session.folder / f"{who}.mlpackage", session.folder / f"{who}.json"
        return Contender(
            key=key,
            label=label,
            role=role,
            argv=job("convert.py", who, model, package, times),
            runs=session.runs.few,
            outputs=(times, package),
            timing=times,
            complaint=lambda: None if package.is_dir() else "no package was written",
        )

    runners = [
        contender("coremltools", "coremltools, from a SavedModel", "base", "coremltools", tensorflow),
        contender("lowering", "rewriter, from ONNX", "ours", "ours", source),
    ]
    return (Point(0, session.compare(runners), {"onnx_bytes": source.stat().st_size}),)
