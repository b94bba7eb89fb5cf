"""The whole way in one call: convert, rewrite, verify, lower, verify again, report.

A deployment directory never holds a model that its report rejects: models are built in a directory beside it, and
move in only when every verification passed. After a failure they lie under ``rejected/``, and models of an earlier
deployment are removed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.atomic import write_text
from rewriter.errors import InputError, UsageError

if TYPE_CHECKING:
    from rewriter.coreml.lowering import LoweredModel
    from rewriter.coreml.neuralnetwork import LoweredNetwork
    from rewriter.rewriting import Rewrite
    from rewriter.verification.report.html import Picture
    from rewriter.verification.result import VerificationReport

__all__ = ["ARTIFACTS", "PRECISIONS", "SOURCES", "Deployment", "deploy"]

PRECISIONS = ("float16", "float32")
ARTIFACTS = ("model.onnx", "model.mlpackage", "model.mlmodel")
"""What earlier deployments may have left; each leaves the ONNX model and one Core ML model."""
SOURCES = "RWAlignedResize"
"""Directory with the custom layer's sources, where the model has one."""
_REJECTED = "rejected"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """What `deploy` did.

    Attributes:
        source: name of the network.
        directory: where the report and, after success, the models are.
        target, precision: of the Core ML model.
        verification: every pair that was compared.
        resizes: entries of the JSON key ``resizes``, with how Core ML expresses each.
        changes: entries of the JSON key ``changes``.
        operators: operators of the Core ML program by type, constants left out.
    """

    source: str
    directory: Path
    target: str
    precision: str
    verification: VerificationReport
    resizes: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    operators: dict[str, int]

    @property
    def passed(self) -> bool:
        return self.verification.passed

    def to_json(self) -> dict[str, Any]:
        """The content of ``report.json``."""
        from rewriter.environment import versions

        return {
            "source": self.source,
            "passed": self.passed,
            "target": self.target,
            "precision": self.precision,
            "resizes": self.resizes,
            "changes": self.changes,
            "verification": self.verification.to_json(),
            "operators": self.operators,
            "environment": versions(),
        }


def deploy(
    source: str | Path | None,
    directory: str | Path,
    *,
    builder: str | None = None,
    weights: str | Path | None = None,
    opset: int | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    intent: str = "auto",
    rules: Sequence[str] = (),
    target: str = "iOS17",
    precision: str | None = None,
    inputs: str | Path | None = None,
    progress: Progress | None = None,
    custom_layer: str | None = None,
) -> Deployment:
    """Take a TensorFlow network to a verified Core ML model.

    The ONNX model, a float32 Core ML program and the one that is deployed are each compared with the network itself;
    the float32 program shows that the structure is right, apart from what float16 rounds away.

    Args:
        source: a `.keras` or `.h5` file or SavedModel directory; None with `builder`.
        directory: for all outputs; made when missing.
        builder, weights: as `rewriter.tensorflow.load.load_keras`.
        opset, shapes: as `rewriter.tensorflow.convert.convert`.
        intent, rules: as `rewriter.rewriting.rewrite`.
        target, precision: as `rewriter.coreml.lowering.lower`, float16 by default; targets iOS13 and iOS14 give a
            neural network in float32.
        inputs: the user's own inputs; the first is the one in the report's picture.
        progress: called with one line per step.
        custom_layer: iOS13 and iOS14: which resizes become a custom layer, as `rewriter.coreml.neuralnetwork`.

    Raises:
        RewriterError: something cannot be done; the directory is as it was.
    """
    from rewriter.coreml.formats import choose_format
    from rewriter.coreml.lowering import lower
    from rewriter.model import Model
    from rewriter.rewriting import rewrite
    from rewriter.tensorflow.convert import DEFAULT_OPSET, convert
    from rewriter.tensorflow.load import load
    from rewriter.verification import verify

    if precision not in (None, *PRECISIONS):
        raise UsageError(f"unknown precision '{precision}'", remedy=f"use {' or '.join(PRECISIONS)}")
    form = choose_format(target, precision, custom_layer)
    say = progress or (lambda line: None)
    target_directory = _made(Path(directory))
    with _stage(target_directory) as stage:
        say("loading the network")
        network = load(source, builder=builder, weights=weights)
        say("converting it to ONNX")
        proto = convert(network, opset=opset or DEFAULT_OPSET, shapes=shapes)
        say("running the passes")
        rewritten = rewrite(Model.from_proto(proto), intent=intent, rules=rules)
        model_path, package = stage / "model.onnx", stage / f"model{form.suffix}"
        rewritten.save(model_path)
        say(f"lowering to Core ML, {form.precision}")
        final = rewritten.model.to_proto()
        lowered = form.lower(final, shapes=shapes)
        lowered.save(package)
        _emit_sources(lowered, stage)
        candidates = [model_path, package]
        if form.precision != "float32":
            say("lowering to Core ML, float32, as a control")
            control = stage / "float32.mlpackage"
            lower(final, target=target, precision="float32", shapes=shapes).save(control)
            candidates.insert(1, control)
        report = verify(network, candidates, inputs=inputs, progress=say)
        say("writing the report")
        deployment = Deployment(
            source=_name(source, builder),
            directory=target_directory,
            target=lowered.target,
            precision=form.precision,
            verification=report,
            resizes=_resizes(rewritten, lowered),
            changes=[change.to_json() for change in rewritten.changes],
            operators=lowered.operator_counts,
        )
        picture = _picture(network, model_path, package, inputs)
        _write_reports(deployment, picture, stage)
        _move_in(stage, target_directory, passed=deployment.passed)
    return deployment


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the directory: {error.strerror}", file=directory) from error
    return directory


@contextlib.contextmanager
def _stage(directory: Path) -> Iterator[Path]:
    """A directory on the same file system to build in; gone afterwards."""
    try:
        stage = Path(tempfile.mkdtemp(prefix=".deploy-", dir=directory))
    except OSError as error:
        raise InputError(f"cannot write there: {error.strerror}", file=directory) from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move_in(stage: Path, directory: Path, *, passed: bool) -> None:
    """Replace the outputs of an earlier deployment by those of this one."""
    home = directory if passed else directory / _REJECTED
    _remove(directory / _REJECTED)
    for name in (*ARTIFACTS, SOURCES):
        _remove(directory / name)
    home.mkdir(exist_ok=True)
    for name in (*ARTIFACTS, SOURCES):
        if (stage / name).exists():
            (stage / name).replace(home / name)
    for name in ("report.json", "report.html"):
        (stage / name).replace(directory / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _emit_sources(lowered: LoweredModel | LoweredNetwork, stage: Path) -> None:
    """Beside a model with custom layers, what an app needs to load it."""
    if any(entry["kind"] == "custom" for entry in lowered.resizes):
        from rewriter.coreml.customlayer.emitting import emit_sources

        emit_sources(stage / SOURCES, lowered.resizes)


def _name(source: str | Path | None, builder: str | None) -> str:
    return Path(source).name if source is not None else str(builder)


def _resizes(rewritten: Rewrite, lowered: LoweredModel | LoweredNetwork) -> list[dict[str, Any]]:
    """What the passes report, with how this program expresses each resize rather than how it might."""
    expressed = {entry["node"]: entry for entry in lowered.resizes}
    entries = []
    for entry in rewritten.resizes:
        actual = expressed.get(entry["node"])
        entries.append(entry if actual is None else {**entry, "coreml": _words(actual)})
    return entries


def _words(entry: Mapping[str, Any]) -> str:
    mode = entry["parameters"].get("sampling_mode", "")
    return f"{entry['op'] or entry['kind']} {mode}".strip()


def _picture(network: Any, model: Path, package: Path, inputs: str | Path | None) -> Picture | None:
    """The contours of the network, of its Core ML model, and of the ONNX model with its modes lost."""
    import onnx

    from rewriter.verification.probes import probe_cases, read_cases
    from rewriter.verification.report.figure import Contour, contour_figure
    from rewriter.verification.report.html import Picture
    from rewriter.verification.runners import open_runner

    original, fixed = open_runner(network), open_runner(package)
    unfixed_proto, lost = _without_modes(onnx.load(model))
    specs = fixed.inputs
    if len(original.inputs) != 1 or len(specs) != 1 or lost is None:
        return None
    cases = probe_cases(specs) if inputs is None else read_cases(Path(inputs), specs)
    image = next(iter(next(iter(cases.values())).values()))
    maps = []
    for runner in (original, fixed, open_runner(unfixed_proto)):
        (output, *_) = runner.run({runner.inputs[0].name: image}).values()
        maps.append(output[0] if output.ndim == 4 else output)
    if image.ndim != 4 or maps[0].ndim != 3:
        return None
    simulated = ", simulated" if fixed.simulated else ""
    png = contour_figure(
        image[0],
        Contour("TensorFlow", maps[0], "#facc15"),
        [
            Contour(f"without the passes: {lost}", maps[2], "#dc2626"),
            Contour(f"Core ML{simulated}", maps[1], "#16a34a", "dashed"),
        ],
    )
    if png is None:
        return None
    caption = (
        "Filled yellow: the segmentation of the TensorFlow network. Dashed green: the deployed Core ML model"
        f"{simulated}. Red: the same network when every resize loses its mode and samples {lost}. "
        "Numbered squares are enlarged on the right, where they part most."
    )
    return Picture(png, caption)


def _without_modes(model: Any) -> tuple[Any, str | None]:
    """A copy whose linear resizes sample what a converter falls back on; None where there is nothing to lose."""
    nodes = [node for node in model.graph.node if node.op_type == "Resize"]
    modes = [
        attribute
        for node in nodes
        for attribute in node.attribute
        if attribute.name == "coordinate_transformation_mode"
        and any(a.name == "mode" and a.s == b"linear" for a in node.attribute)
    ]
    if not modes:
        return model, None
    # ONNX's own default, unless that is what the network means; then the default of older exporters.
    lost = b"half_pixel" if any(mode.s != b"half_pixel" for mode in modes) else b"asymmetric"
    for mode in modes:
        mode.s = lost
    return model, lost.decode()


def _write_reports(deployment: Deployment, picture: Picture | None, stage: Path) -> None:
    from rewriter.environment import versions
    from rewriter.verification.report.html import ReportContext, write

    write_text(stage / "report.json", json.dumps(deployment.to_json(), indent=2, allow_nan=False) + "\n")
    facts = {
        "Source": deployment.source,
        "Core ML target": f"{deployment.target}, {deployment.precision}",
        "Core ML operators": str(sum(deployment.operators.values())),
        "Resizes": str(len(deployment.resizes)),
    }
    context = ReportContext(
        title=deployment.source,
        resizes=deployment.resizes,
        changes=deployment.changes,
        picture=picture,
        environment=versions(),
        facts=facts,
    )
    write(deployment.verification, stage / "report.html", context)
