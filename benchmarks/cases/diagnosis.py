"""Case diagnosis: from two models, one of whose resizes differs, to the first finding."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from onnx import ModelProto

from benchmarks.contenders import Contender, console_script, job, missing
from benchmarks.graphs import write_model
from benchmarks.networks import unet
from benchmarks.results import Point
from benchmarks.session import Session

__all__ = ["measure"]

_WRONG = 2
"""Which of the five resizes is made wrong: the middle one."""


def measure(session: Session) -> tuple[Point, ...]:
    """All of it, whole processes; each must name the right node, or its tensor."""
    model = unet(session.size(128, 32))
    reference = write_model(model, session.folder / "reference.onnx")
    node = _spoil(model)
    mutant = write_model(model, session.folder / "mutant.onnx")
    ours, theirs = session.folder / "verify.json", session.folder / "polygraphy.json"
    outputs = session.folder / "outputs.json"
    run = f"{{}} run {{}} --onnxrt --onnx-outputs '*' {{}} {outputs}"
    polygraphy = str(Path(console_script("rewrite")[0]).with_name("polygraphy"))
    script = " && ".join(
        (
            run.format(polygraphy, reference, "--save-outputs"),
            run.format(polygraphy, mutant, "--fail-fast --atol 1e-4 --rtol 1e-4 --load-outputs"),
        )
    )
    runners = [
        Contender(
            key="polygraphy",
            label="Polygraphy in Python, all tensors in memory",
            role="base",
            argv=job("find_difference.py", reference, mutant, theirs),
            runs=session.runs.few,
            outputs=(theirs,),
            missing=missing("polygraphy"),
            exit_code=1,
            complaint=_names(theirs, lambda found: found["tensor"], f"{node}:0"),
        ),
        Contender(
            key="polygraphy-command",
            label="polygraphy run, twice",
            role="peer",
            argv=("sh", "-c", script),
            runs=session.runs.few,
            outputs=(outputs,),
            missing=missing("polygraphy"),
            exit_code=1,
        ),
        Contender(
            key="verify",
            label="rewriter verify",
            role="ours",
            argv=(*console_script("rewriter"), "verify", str(reference), str(mutant), "--json", str(ours)),
            runs=session.runs.few,
            outputs=(ours,),
            exit_code=1,
            complaint=_names(ours, lambda found: found["verification"]["diagnosis"][0]["node"], node),
        ),
    ]
    return (Point(len(model.graph.node), session.compare(runners), {"nodes": len(model.graph.node)}),)


def _spoil(model: ModelProto) -> str:
    """Give one Resize another mode; returns its name."""
    node = [node for node in model.graph.node if node.op_type == "Resize"][_WRONG]
    for attribute in node.attribute:
        if attribute.name == "coordinate_transformation_mode":
            attribute.s = b"half_pixel"
    return str(node.name)


def _names(path: Path, read: Callable[..., str], expected: str) -> Callable[[], str | None]:
    def complaint() -> str | None:
        try:
            found = read(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, IndexError):
            return "left no finding"
        return None if found == expected else f"blames {found}, not {expected}"

    return complaint
