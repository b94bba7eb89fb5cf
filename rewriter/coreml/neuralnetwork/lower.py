"""The way from an ONNX model to a `.mlmodel` file in the neuralnetwork format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rewriter.coreml.lowering.quiet import quiet_coremltools
from rewriter.coreml.lowering.targets import resolve_reading
from rewriter.coreml.neuralnetwork.file import save_network
from rewriter.coreml.neuralnetwork.supported import check_integers, check_layers, check_scalars
from rewriter.errors import UnsupportedError, UsageError, require
from rewriter.model import Model

if TYPE_CHECKING:
    import onnx

__all__ = ["CUSTOM_LAYER_CHOICES", "LoweredNetwork", "lower_network", "resolve_network_target"]

CUSTOM_LAYER_CHOICES = ("auto", "always", "never")
_TARGETS = {"ios13": "iOS13", "ios14": "iOS14", "macos10.15": "iOS13", "macos11": "iOS14"}
_SPECIFICATION_VERSIONS = {"iOS13": 4, "iOS14": 5}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoweredNetwork:
    """A Core ML neural network made from an ONNX model.

    Attributes:
        mlmodel: the `coremltools.models.MLModel`, not loaded into any runtime.
        target: minimum deployment target, ``iOS13`` or ``iOS14``.
        names: Core ML name of every input and output by its ONNX name.
        resizes: one entry per Resize node, as `rewriter.coreml.lowering.LoweredModel.resizes`; ``kind`` may also be
            ``custom``.
    """

    mlmodel: Any
    target: str
    names: Mapping[str, str]
    resizes: list[dict[str, Any]]
    precision: str = "float32"

    @property
    def operator_counts(self) -> dict[str, int]:
        """Layers by kind, most frequent first; constants are not counted."""
        kinds = (layer.WhichOneof("layer") for layer in self.mlmodel.get_spec().neuralNetwork.layers)
        return dict(Counter(kind for kind in kinds if kind != "loadConstantND").most_common())

    @property
    def uses_custom_layer(self) -> bool:
        """Whether an app has to contain the class `RWAlignedResize` to load the model."""
        return any(entry["kind"] == "custom" for entry in self.resizes)

    def save(self, path: str | Path) -> Path:
        """Write the file; it appears whole or not at all.

        Raises:
            UsageError: `path` does not end in ``.mlmodel``.
            InputError: `path` is a directory, or cannot be written.
        """
        metadata = {"rewriter.names": dict(self.names), "rewriter.certificates": self.resizes}
        return save_network(self.mlmodel, path, metadata)


def resolve_network_target(name: str) -> str | None:
    """``iOS13`` or ``iOS14`` where `name` means one of them, else None; case is ignored."""
    return _TARGETS.get(name.lower())


def lower_network(
    model: onnx.ModelProto | Model,
    *,
    target: str = "iOS13",
    custom_layer: str = "auto",
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    directory: str | Path | None = None,
    reading: str | None = None,
    progress: Progress | None = None,
) -> LoweredNetwork:
    """Lower an ONNX model to the neuralnetwork format; inputs, outputs and layout stay, weights are float32.

    Args:
        model: a message, or a `Model`; it is not changed.
        target: ``iOS13`` or ``iOS14`` (``macOS10.15``, ``macOS11``).
        custom_layer: ``never``: native layers, gather and constant matrices; ``auto``: the custom layer instead of
            matrices above 1 MiB; ``always``: every resize that changes anything.
        shapes: lengths for inputs that the model leaves open.
        directory: where the external data of a message lies.
        reading: as of `rewriter.coreml.lowering.lower`.
        progress: called with a phase, steps done and steps in all.

    Raises:
        UnsupportedError: operators without an exact form in this format; with ``always``, also resizes that the
            custom layer cannot compute.
        UsageError: unknown target, policy or input name.
        MissingExtraError: coremltools is not installed.
    """
    if custom_layer not in CUSTOM_LAYER_CHOICES:
        raise UsageError(
            f"unknown policy '{custom_layer}'", remedy=f"use one of {', '.join(CUSTOM_LAYER_CHOICES)}"
        )
    resolved = resolve_network_target(target)
    if resolved is None:
        raise UsageError(
            f"target {target} loads ML programs; the neuralnetwork format is written for iOS13 and iOS14"
        )
    if isinstance(model, Model):
        proto = model.to_reference_proto()
    else:
        proto = model
        model = Model.from_proto(
            proto, None if directory is None else Path(directory) / "model.onnx", copy=False
        )
    with quiet_coremltools(progress):
        ct = require("coremltools", "to write a Core ML model")
        from rewriter.coreml.lowering.graph import prepare
        from rewriter.coreml.lowering.program import build_program
        from rewriter.coreml.lowering.registry import lowerings
        from rewriter.coreml.neuralnetwork import custom_resize

        assert custom_resize.rw_aligned_resize is not None  # registers the operator
        graph = prepare(proto, lowerings().keys(), shapes)
        built = build_program(
            graph,
            resolved,
            read=model.array,
            reading=resolve_reading(reading),
            progress=progress,
            custom_layer=custom_layer,
        )
        check_scalars(built.program)
        check_integers(built.program)
        mlmodel = _convert(ct, built.program, resolved)
    if proto.doc_string:
        mlmodel.short_description = proto.doc_string
    if proto.model_version:
        mlmodel.version = str(proto.model_version)
    return LoweredNetwork(mlmodel, resolved, built.names, built.resizes)


def _convert(ct: Any, program: Any, target: str) -> Any:
    """Run coremltools' passes and serialise."""
    try:
        with _without_bar():
            mlmodel = ct.convert(
                program,
                source="milinternal",
                convert_to="neuralnetwork",
                minimum_deployment_target=getattr(ct.target, target),
                skip_model_load=True,
            )
    except (ValueError, NotImplementedError, RuntimeError, AttributeError, TypeError) as error:
        raise UnsupportedError(f"coremltools cannot write the network: {error}") from error
    check_layers(mlmodel.get_spec())
    needed = mlmodel.get_spec().specificationVersion
    if needed > _SPECIFICATION_VERSIONS[target]:
        raise UnsupportedError(
            f"the network needs version {needed} of the format, {target} reads {_SPECIFICATION_VERSIONS[target]}",
            remedy="use target iOS14" if needed == _SPECIFICATION_VERSIONS["iOS14"] else None,
        )
    return mlmodel


@contextmanager
def _without_bar() -> Iterator[None]:
    """coremltools' progress bar over the operators, which `quiet_coremltools` does not reach, left out."""
    mapping: Any = require("coremltools.converters.mil.backend.nn.op_mapping", "to write a Core ML model")
    bar = mapping._tqdm
    mapping._tqdm = lambda items, *_, **__: items
    try:
        yield
    finally:
        mapping._tqdm = bar
