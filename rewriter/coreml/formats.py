"""Which of Core ML's two formats a target loads, and the options that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rewriter.errors import UnsupportedError, UsageError

if TYPE_CHECKING:
    import onnx

    from rewriter.coreml.lowering import LoweredModel
    from rewriter.coreml.neuralnetwork import LoweredNetwork
    from rewriter.model import Model

__all__ = ["NetworkFormat", "ProgramFormat", "choose_format"]

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ProgramFormat:
    """ML programs in packages, iOS15 and newer.

    Attributes:
        target: deployment target.
        precision: ``float16`` or ``float32``.
    """

    target: str
    precision: str
    suffix = ".mlpackage"

    def check_path(self, output: Path) -> None:
        """Check that a package can be written to `output`; errors as `check_package_path`."""
        from rewriter.coreml.package import check_package_path

        check_package_path(output)

    def lower(
        self,
        model: onnx.ModelProto | Model,
        *,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        reading: str | None = None,
        progress: Progress | None = None,
    ) -> LoweredModel:
        """`rewriter.coreml.lowering.lower` with this format's options."""
        from rewriter.coreml.lowering import lower

        return lower(
            model,
            target=self.target,
            precision=self.precision,
            shapes=shapes,
            reading=reading,
            progress=progress,
        )


@dataclass(frozen=True)
class NetworkFormat:
    """Neural networks in single files, iOS13 and iOS14.

    Attributes:
        target: deployment target.
        custom_layer: which resizes become the custom layer, ``auto``, ``always`` or ``never``.
    """

    target: str
    custom_layer: str
    precision = "float32"
    suffix = ".mlmodel"

    def check_path(self, output: Path) -> None:
        """Check that a file can be written to `output`; errors as `check_network_path`."""
        from rewriter.coreml.neuralnetwork.file import check_network_path

        check_network_path(output)

    def lower(
        self,
        model: onnx.ModelProto | Model,
        *,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        reading: str | None = None,
        progress: Progress | None = None,
    ) -> LoweredNetwork:
        """`rewriter.coreml.neuralnetwork.lower_network` with this format's options."""
        from rewriter.coreml.neuralnetwork import lower_network

        return lower_network(
            model,
            target=self.target,
            custom_layer=self.custom_layer,
            shapes=shapes,
            reading=reading,
            progress=progress,
        )


def choose_format(
    target: str, precision: str | None, custom_layer: str | None, *, wants_sources: bool = False
) -> ProgramFormat | NetworkFormat:
    """The format that `target` loads.

    Args:
        target: deployment target.
        precision: what the user asked for, None for the format's own default.
        custom_layer: what the user asked for; None means ``auto``.
        wants_sources: whether the custom layer's sources are to be written.

    Raises:
        UnsupportedError: a custom layer in an ML program, which Core ML cannot load; float16 in a neural network.
        UsageError: sources of a layer that the model cannot have.
    """
    from rewriter.coreml.neuralnetwork import resolve_network_target

    if resolve_network_target(target) is not None:
        if precision == "float16":
            raise UnsupportedError(
                "the neuralnetwork format has no precision of its own: the device chooses, and weights are float32",
                remedy="leave --precision away, or use target iOS15 or newer",
            )
        return NetworkFormat(target, custom_layer or "auto")
    if custom_layer == "always":
        raise UnsupportedError(
            f"target {target} loads ML programs, and Core ML loads no ML program that has a custom layer",
            remedy="use target iOS13 or iOS14, or leave --custom-layer away: programs express every resize exactly",
        )
    if wants_sources:
        raise UsageError(
            f"target {target} loads ML programs, which have no custom layer whose sources could be written",
            remedy="use target iOS13 or iOS14",
        )
    return ProgramFormat(target, precision or "float16")
