"""The library holds no state that threads share: eight of them give the bytes that one gives."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from rewriter.coreml import simulator
from rewriter.coreml.lowering import lower
from rewriter.model import Model
from rewriter.rewriting import rewrite
from tests.evidence.random_networks import build
from tests.hostile.valid_graphs import random_model

THREADS, MODELS = 8, 50


def in_threads(work: Callable[[int], Any]) -> list[list[Any]]:
    """Every thread does everything, each from another place on."""

    def all_of_it(first: int) -> list[Any]:
        found: dict[int, Any] = {}
        for step in range(MODELS):
            index = (first * 7 + step) % MODELS
            found[index] = work(index)
        return [found[index] for index in range(MODELS)]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(all_of_it, range(THREADS)))


def test_rewrite() -> None:
    models: list[onnx.ModelProto] = [
        random_model(seed)[0] if seed % 2 else build("unet", 2, seed) for seed in range(MODELS)
    ]

    def work(index: int) -> tuple[bytes, str]:
        done = rewrite(Model.from_proto(models[index]), intent="align_corners" if index % 3 else "preserve")
        return done.model.to_bytes(), repr([change.to_json() for change in done.changes])

    alone = [work(index) for index in range(MODELS)]
    assert sum(data != model.SerializeToString() for (data, _), model in zip(alone, models, strict=True)) > 40
    for found in in_threads(work):
        assert found == alone


def test_one_loaded_model_predicts_in_all_threads(tmp_path: Path) -> None:
    network = build("unet", 2, 5)
    lower(network).save(tmp_path / "m.mlpackage")
    model = simulator.load(tmp_path / "m.mlpackage")
    (info,) = network.graph.input
    shape = [dimension.dim_value for dimension in info.type.tensor_type.shape.dim]
    pictures = [np.random.default_rng(seed).random(shape, np.float32) for seed in range(MODELS)]

    def work(index: int) -> list[bytes]:
        return [array.tobytes() for _, array in sorted(model.predict({info.name: pictures[index]}).items())]

    alone = [work(index) for index in range(MODELS)]
    assert len({tuple(each) for each in alone}) == MODELS
    for found in in_threads(work):
        assert found == alone
