"""Where the data of a model's tensors is: in the message, in the model's file, or in another file beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto, numpy_helper

from rewriter.model.source import Source

__all__ = ["Storage", "is_external"]


def is_external(tensor: TensorProto) -> bool:
    """Whether the message only says where its data lies."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


@dataclass(frozen=True)
class Storage:
    """Reads tensors.

    Attributes:
        source: the model's own bytes.
        directory: where external data lies; None for a model that came from memory.
    """

    source: Source
    directory: Path | None = None

    def array(self, tensor: TensorProto) -> np.ndarray:
        """The values of `tensor`, read anew each time.

        Raises:
            ValueError: external data of a model without a directory, or data that does not fit the shape.
            ValidationError: external data that onnx refuses to open.
        """
        whole = self.source.complete(tensor)
        if is_external(whole) and self.directory is None:
            raise ValueError(f"tensor '{tensor.name}' has external data, and the model has no directory")
        try:
            return np.array(numpy_helper.to_array(whole, base_dir=str(self.directory or "")))
        except KeyError as error:
            raise ValueError(
                f"tensor '{tensor.name}' has an element type that is not known: {error}"
            ) from error
