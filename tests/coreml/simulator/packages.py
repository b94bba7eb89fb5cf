"""Saves small MIL programs for the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
from coremltools.converters.mil import mil
from coremltools.converters.mil.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import Function


def save_program(
    directory: Path,
    shapes: Mapping[str, tuple[int, ...]],
    build: Callable[..., Any],
    *,
    precision: str = "float32",
    target: Any = ct.target.iOS17,
    **options: Any,
) -> Path:
    """Convert a builder function to a saved ML program and return the package's path."""
    program = mil.Program()
    placeholders = {name: mb.placeholder(shape=shape) for name, shape in shapes.items()}
    with Function(placeholders, opset_version=target) as function:
        outputs = build(**function.inputs)
        function.set_outputs(list(outputs) if isinstance(outputs, list | tuple) else [outputs])
        program.add_function("main", function)
    return save_converted(
        program, directory, precision=precision, source="milinternal", target=target, **options
    )


def save_converted(
    model: Any, directory: Path, *, precision: str, source: str, target: Any = ct.target.iOS17, **options: Any
) -> Path:
    """Convert anything that coremltools takes and save it."""
    mlmodel = ct.convert(
        model,
        source=source,
        convert_to="mlprogram",
        minimum_deployment_target=target,
        compute_precision=ct.precision.FLOAT16 if precision == "float16" else ct.precision.FLOAT32,
        skip_model_load=True,
        **options,
    )
    package = directory / "model.mlpackage"
    mlmodel.save(str(package))
    return package
