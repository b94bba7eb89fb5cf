"""Time predictions inside one process, after the model has been loaded and has run once.

Usage: ``python predict.py onnxruntime|simulator MODEL INPUT.npy OUTPUT.npy TIMES.json COUNT``
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np


def with_onnxruntime(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """A session with its default optimisations and two threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: np.asarray(session.run(None, {name: image})[0])


def with_simulator(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """The Core ML simulator."""
    sys.path.insert(0, str(Path(__file__).parents[2]))  # where it is when it is not installed
    from rewriter.coreml.simulator import load

    model = load(path)
    name = model.inputs[0].name
    return lambda image: np.asarray(next(iter(model.predict({name: image}).values())))


def main() -> None:
    """Write the output of the first prediction, and the median cost of those after it."""
    engine, path, image_path, output, times, count = sys.argv[1:]
    predict = {"onnxruntime": with_onnxruntime, "simulator": with_simulator}[engine](path)
    image = np.load(image_path)
    np.save(output, predict(image))
    walls, cpus = [], []
    for _ in range(int(count)):
        wall, cpu = time.perf_counter(), time.process_time()
        predict(image)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    Path(times).write_text(json.dumps({"wall": median(walls), "cpu": median(cpus)}))


if __name__ == "__main__":
    main()
