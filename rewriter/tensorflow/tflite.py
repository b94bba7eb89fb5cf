"""TFLite files: names of their signature, what is refused, and TFLite's own interpreter."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rewriter.errors import InputError, UnsupportedError
from rewriter.tensorflow.environment import import_tensorflow

__all__ = ["TFLiteModel", "check_against_interpreter", "load_tflite"]

_IDENTIFIER = b"TFL3"
_TOLERANCE = 1e-4
_INTEGERS = (np.int8, np.uint8, np.int16)


@dataclass(frozen=True)
class TFLiteModel:
    """A TFLite file, opened.

    Attributes:
        path: the file.
        content: its bytes.
        inputs, outputs: by the name that users know: name of the tensor, shape (-1 where open), dtype.
    """

    path: Path
    content: bytes
    inputs: dict[str, tuple[str, tuple[int, ...], Any]]
    outputs: dict[str, tuple[str, tuple[int, ...], Any]]

    def run(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name, from TFLite's reference kernels on one thread."""
        interpreter = _interpreter(self.content, self.path)
        places = {each["name"]: each["index"] for each in interpreter.get_input_details()}
        for name, (tensor, _, _) in self.inputs.items():
            interpreter.resize_tensor_input(places[tensor], arrays[name].shape)
        interpreter.allocate_tensors()
        for name, (tensor, _, dtype) in self.inputs.items():
            interpreter.set_tensor(places[tensor], np.ascontiguousarray(arrays[name].astype(dtype)))
        interpreter.invoke()
        results = {each["name"]: each["index"] for each in interpreter.get_output_details()}
        return {
            name: interpreter.get_tensor(results[tensor]) for name, (tensor, _, _) in self.outputs.items()
        }


def load_tflite(path: str | Path) -> TFLiteModel:
    """Open a TFLite file.

    Raises:
        InputError: no file, or no TFLite file.
        UnsupportedError: quantised tensors, whose results depend on TFLite's integer kernels; operators that the
            interpreter has not.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError("no such file", file=file)
    content = file.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise InputError("not a TFLite file", file=file)
    import_tensorflow("to open TFLite models")
    interpreter = _interpreter(content, file)
    for tensor in interpreter.get_tensor_details():
        scales = tensor["quantization_parameters"]["scales"]
        if tensor["dtype"] in _INTEGERS and len(scales):
            raise UnsupportedError(
                f"the tensor is quantised ({np.dtype(tensor['dtype']).name}), and results of TFLite's integer "
                "kernels have no exact form in ONNX",
                file=file,
                node=tensor["name"],
                remedy="export the network without quantisation",
            )
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    names = _signature_names(interpreter)
    return TFLiteModel(file, content, _described(inputs, names), _described(outputs, names))


def check_against_interpreter(model: onnx.ModelProto, tflite: TFLiteModel) -> None:
    """Run the converted model and TFLite on one random input; tf2onnx reads TFLite's flat buffers on its own.

    Raises:
        UnsupportedError: they differ by more than 1e-4 of the range.
    """
    from rewriter.verification.runners.onnx import OnnxRunner

    random = np.random.default_rng(0)
    arrays = {}
    for name, (_, shape, dtype) in tflite.inputs.items():
        lengths = [length if length > 0 else 1 for length in shape]
        arrays[name] = (
            random.random(lengths).astype(dtype)
            if np.dtype(dtype).kind == "f"
            else random.integers(0, 2, lengths).astype(dtype)
        )
    wanted = tflite.run(arrays)
    found = OnnxRunner(model).run(arrays)
    for name, expected in wanted.items():
        actual = found[name]
        distance = np.abs(actual.astype(np.float64) - expected).max(initial=0)
        largest = max(float(np.ptp(expected)), float(np.abs(expected).max(initial=0)), 1e-6)
        if actual.shape != expected.shape or not distance <= _TOLERANCE * largest:
            raise UnsupportedError(
                f"tf2onnx converts this TFLite file wrongly: output '{name}' differs by {distance / largest:.2g} of "
                "the range on a random input",
                file=tflite.path,
                remedy="convert the Keras model or SavedModel that the file was made from",
            )


def _interpreter(content: bytes, path: Path) -> Any:
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the class is to move to another package one day
        try:
            return tf.lite.Interpreter(
                model_content=content,
                num_threads=1,
                experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
            )
        except (ValueError, RuntimeError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UnsupportedError(f"TFLite cannot load this file: {lines[0][:300]}", file=path) from error


def _signature_names(interpreter: Any) -> dict[str, str]:
    """Names of the only signature's inputs and outputs, by the name of the tensor."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        return {}
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    details = {**runner.get_input_details(), **runner.get_output_details()}
    return {each["name"]: name for name, each in details.items()}


def _described(details: list[Any], names: dict[str, str]) -> dict[str, tuple[str, tuple[int, ...], Any]]:
    return {
        names.get(each["name"], each["name"].removesuffix(":0")): (
            each["name"],
            tuple(int(n) for n in each["shape_signature"]),
            each["dtype"],
        )
        for each in details
    }
