"""Build ResNet50 as a SavedModel, or time the way from a file to a saved Core ML package.

Usage: ``python convert.py build DIR``, ``python convert.py ours|coremltools SOURCE OUT.mlpackage TIMES.json``
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def build(folder: str) -> None:
    """ResNet50 with random weights, with the one signature that coremltools wants."""
    import keras
    import tensorflow as tf

    module = tf.Module()
    module.network = keras.applications.ResNet50(weights=None)
    image = tf.TensorSpec([1, 224, 224, 3], tf.float32, "image")
    signature = tf.function(lambda image: {"classes": module.network(image, training=False)}, [image])
    tf.saved_model.save(module, str(Path(folder, "resnet50")), signature.get_concrete_function())


def ours(source: str, target: str) -> float:
    """Seconds from the ONNX file to the package, imports not counted."""
    import coremltools  # noqa: F401 - imported here so that it is not counted
    import onnx

    sys.path.insert(0, str(Path(__file__).parents[2]))  # where it is when it is not installed
    from rewriter.coreml.lowering import lower

    started = time.perf_counter()
    lower(onnx.load(source), target="iOS17", precision="float16").save(target)
    return time.perf_counter() - started


def with_coremltools(source: str, target: str) -> float:
    """Seconds from the SavedModel to the package, imports not counted."""
    import coremltools
    import tensorflow  # noqa: F401 - imported here so that it is not counted

    started = time.perf_counter()
    model = coremltools.convert(
        source,
        source="tensorflow",
        convert_to="mlprogram",
        minimum_deployment_target=coremltools.target.iOS17,
        compute_precision=coremltools.precision.FLOAT16,
        skip_model_load=True,
    )
    model.save(target)
    return time.perf_counter() - started


def main() -> None:
    """Do what the arguments say."""
    if sys.argv[1] == "build":
        build(sys.argv[2])
        return
    who, source, target, times = sys.argv[1:]
    convert = {"ours": ours, "coremltools": with_coremltools}[who]
    cpu = time.process_time()
    seconds = convert(source, target)
    Path(times).write_text(json.dumps({"wall": seconds, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main()
