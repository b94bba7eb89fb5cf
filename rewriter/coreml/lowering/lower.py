"""The way from an ONNX model to a Core ML program that can be saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.coreml.lowering.quiet import quiet_coremltools
from rewriter.coreml.lowering.targets import resolve_precision, resolve_reading, resolve_target
from rewriter.coreml.package import count_operators, save_package
from rewriter.errors import UnsupportedError, require
from rewriter.model import Model

if TYPE_CHECKING:
    import onnx

__all__ = ["LoweredModel", "lower"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoweredModel:
    """A Core ML program made from an ONNX model.

    Attributes:
        mlmodel: the `coremltools.models.MLModel`, not loaded into any runtime.
        target: minimum deployment target, e.g. ``iOS17``.
        precision: ``float32`` or ``float16``; inputs and outputs are float32 either way.
        names: Core ML name of every input and output by its ONNX name.
        resizes: one entry per Resize node: ``node, graph, op_type, kind, op, parameters, reason, certificate``.
    """

    mlmodel: Any
    target: str
    precision: str
    names: Mapping[str, str]
    resizes: list[dict[str, Any]]

    @property
    def operator_counts(self) -> dict[str, int]:
        """Operators of the program as it will be saved, by MIL type; constants are not counted."""
        return count_operators(self.mlmodel)

    def save(self, path: str | Path) -> Path:
        """Write the package; it appears whole or not at all, and replaces an older package.

        Raises:
            UsageError: `path` does not end in ``.mlpackage``.
            InputError: `path` is something else than a package, or cannot be written.
        """
        metadata = {"rewriter.names": dict(self.names), "rewriter.certificates": self.resizes}
        return save_package(self.mlmodel, path, metadata)


def lower(
    model: onnx.ModelProto | Model,
    *,
    target: str = "iOS17",
    precision: str = "float32",
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    directory: str | Path | None = None,
    reading: str | None = None,
    progress: Progress | None = None,
) -> LoweredModel:
    """Lower an ONNX model to a Core ML program with the same inputs, outputs and layout.

    Args:
        model: a message, or a `Model`, whose weights are read from its file one by one; it is not changed.
        target: minimum deployment target, ``iOS15`` … ``iOS18`` or ``macOS12`` … ``macOS15``.
        precision: what the program computes in, ``float32`` or ``float16``.
        shapes: lengths for inputs that the model leaves open. An open first length is 1 where not given.
        directory: where the external data of a message lies.
        reading: ``onnxruntime`` or ``onnx.reference``: who is followed where they read a Resize differently
            (align_corners by scales that do not give a whole length). By default such a node is refused.
        progress: called with a phase, steps done and steps in all.

    Raises:
        UnsupportedError: operators without a lowering (all of them named), open shapes, ranks above 5, integers
            beyond 32 bits; nothing that Core ML computes differently is ever lowered silently.
        UsageError: unknown target, precision or input name.
        MissingExtraError: coremltools is not installed.
    """
    if isinstance(model, Model):
        proto = model.to_reference_proto()
    else:
        proto = model
        model = Model.from_proto(
            proto, None if directory is None else Path(directory) / "model.onnx", copy=False
        )
    resolved_target = resolve_target(target)
    resolve_precision(precision)
    with quiet_coremltools(progress):
        ct = require("coremltools", "to write a Core ML model")
        from rewriter.coreml.lowering.graph import prepare
        from rewriter.coreml.lowering.program import build_program
        from rewriter.coreml.lowering.registry import lowerings

        graph = prepare(proto, lowerings().keys(), shapes)
        built = build_program(
            graph,
            resolved_target,
            read=model.array,
            reading=resolve_reading(reading),
            progress=progress,
        )
        mlmodel = _convert(ct, built.program, resolved_target, precision)
    _describe(mlmodel, proto)
    return LoweredModel(mlmodel, resolved_target, precision, built.names, built.resizes)


def _convert(ct: Any, program: Any, target: str, precision: str) -> Any:
    """Run coremltools' passes and serialise."""
    try:
        return ct.convert(
            program,
            source="milinternal",
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, target),
            compute_precision=ct.precision.FLOAT16 if precision == "float16" else ct.precision.FLOAT32,
            skip_model_load=True,
        )
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise UnsupportedError(f"coremltools cannot write the program: {error}") from error


def _describe(mlmodel: Any, proto: onnx.ModelProto) -> None:
    """Carry over what the ONNX file says about itself."""
    if proto.doc_string:
        mlmodel.short_description = proto.doc_string
    if proto.model_version:
        mlmodel.version = str(proto.model_version)
