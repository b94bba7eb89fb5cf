"""The passes that recover resizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from passes.base import Log, Pass, PassContext, PassResult
from passes.resize.recover.operators import AXIS_MAPS, COPYING, KERNELS, REPEATING

if TYPE_CHECKING:
    from rewriter.model import Model

__all__ = ["RecoverNearest", "RecoverResize"]


@dataclass(frozen=True)
class RecoverNearest(Pass):
    """Recover nearest Resizes from pixel repetition: Unsqueeze or Reshape, Tile or Expand, Reshape.

    Copies of pixels stay copies of pixels, so nothing changes in any arithmetic, and `preserve` is the default
    intent for nearest: this is safe before every other pass. The Resize has whole scales, so it serves every shape.
    """

    name: ClassVar[str] = "recover-nearest"
    summary: ClassVar[str] = "nearest Resize in place of Tile or Expand between Reshapes (Keras 3 UpSampling)"
    operators: ClassVar[tuple[str, ...]] = REPEATING

    def run(self, model: Model, context: PassContext) -> PassResult:
        log = Log(self.name)
        candidates = [
            (scope, node)
            for scope in model.scopes()
            for node in scope.nodes_of(*self.operators)
            if len(node.inputs) > 1 and len(node.outputs) == 1
        ]
        if candidates:
            # Loaded where there is something to recover, which most models do not have.
            from passes.resize.recover.recover import recover

            recover(model, candidates, log)
        return log.result()


@dataclass(frozen=True)
class RecoverResize(RecoverNearest):
    """Recover Resizes from everything that is known to stand in for them.

    Beside what `recover-nearest` finds: Gather with constant indices, and MatMul, Gemm or Einsum with a constant
    interpolation matrix, on one axis or on several in a row; Conv and ConvTranspose with one fixed kernel for every
    channel, with the Pad before and the Slice after; DepthToSpace of copied channels. A matrix or kernel is
    recognised where each entry is within one unit in the last place of the float32 rounding of the exact weight, and
    zero where that is zero.
    """

    name: ClassVar[str] = "recover-resize"
    summary: ClassVar[str] = (
        "Resize in place of Tile, Expand, Gather, MatMul, Einsum, Conv, ConvTranspose that are proved to be one"
    )
    operators: ClassVar[tuple[str, ...]] = (*REPEATING, *COPYING, *AXIS_MAPS, *KERNELS)
