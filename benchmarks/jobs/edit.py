"""What the peers are asked to do, each in a process of its own: load a model, give every Resize one mode, save it.

Usage: ``python edit.py TOOL IN.onnx OUT.onnx`` or ``python edit.py TOOL DIR-OF-MODELS OUT-DIR``. Every optimisation
that a tool would run is switched off, so that all do the same work; nothing is imported that the tool does not need.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

_ATTRIBUTE = "coordinate_transformation_mode"
_MODE = "align_corners"


def with_onnx(source: str, target: str) -> None:
    """Load everything, edit the protobuf, save."""
    import onnx

    model = onnx.load(source)
    _edit_proto(model)
    _save(model, source, target)


def with_onnx_lazy(source: str, target: str) -> None:
    """The same, leaving external data where it is."""
    import onnx

    model = onnx.load(source, load_external_data=False)
    _edit_proto(model)
    onnx.save(model, target)


def with_graphsurgeon(source: str, target: str) -> None:
    """Import, edit the graph, export."""
    import onnx
    import onnx_graphsurgeon

    graph = onnx_graphsurgeon.import_onnx(onnx.load(source, load_external_data=False))
    for node in graph.nodes:
        if node.op == "Resize":
            node.attrs[_ATTRIBUTE] = _MODE
    onnx.save(onnx_graphsurgeon.export_onnx(graph), target)


def with_graphsurgeon_unchanged(source: str, target: str) -> None:
    """Import and export, without an edit and without writing anything: the base of issue 3."""
    import onnx
    import onnx_graphsurgeon

    onnx_graphsurgeon.export_onnx(onnx_graphsurgeon.import_onnx(onnx.load(source)))


def with_graphsurgeon_cleanup(source: str, target: str) -> None:
    """Import, clean up and export, without an edit and without writing anything: the base of issue 4."""
    import onnx
    import onnx_graphsurgeon

    graph = onnx_graphsurgeon.import_onnx(onnx.load(source))
    onnx_graphsurgeon.export_onnx(graph.cleanup())


def with_onnx_ir(source: str, target: str) -> None:
    """Load, edit, save; external data stay where they are."""
    import onnx_ir

    model = onnx_ir.load(source)
    for node in model.graph.all_nodes():
        if node.op_type == "Resize":
            node.attributes[_ATTRIBUTE] = onnx_ir.AttrString(_ATTRIBUTE, _MODE)
    onnx_ir.save(model, target)


def with_onnxscript(source: str, target: str) -> None:
    """A rewrite rule, which is how onnxscript says it."""
    import onnx_ir
    from onnxscript.rewriter import pattern, rewrite

    def with_scales(op, x, scales):  # type: ignore[no-untyped-def]
        return op.Resize(x, None, scales, _allow_other_attributes=True, _outputs=["resized"])

    def with_sizes(op, x, sizes):  # type: ignore[no-untyped-def]
        return op.Resize(x, None, None, sizes, _allow_other_attributes=True, _outputs=["resized"])

    def wrong(context, resized, **_):  # type: ignore[no-untyped-def]
        mode = resized.producer().attributes.get(_ATTRIBUTE)
        return mode is None or mode.as_string() != _MODE

    def right(op, resized, **_):  # type: ignore[no-untyped-def]
        node = resized.producer()
        attributes = {name: attribute for name, attribute in node.attributes.items() if name != _ATTRIBUTE}
        return op.Resize(*node.inputs, **attributes, **{_ATTRIBUTE: _MODE})

    model = onnx_ir.load(source)
    rules = [pattern.RewriteRule(found, right, wrong) for found in (with_scales, with_sizes)]
    onnx_ir.save(rewrite(model, rules), target)


def with_onnxslim(source: str, target: str) -> None:
    """slim() with every optimisation and shape inference off."""
    import onnx
    import onnxslim
    from onnxslim.core.optimization import OptimizationSettings

    model = onnx.load(source)
    _edit_proto(model)
    skip = OptimizationSettings.keys()
    slimmed = onnxslim.slim(model, skip_optimizations=skip, no_shape_infer=True)
    _save(slimmed, source, target)


def with_onnxsim(source: str, target: str) -> None:
    """simplify() with every optimisation and shape inference off."""
    import onnx
    import onnxsim

    model = onnx.load(source)
    _edit_proto(model)
    simplified, _ = onnxsim.simplify(
        model, perform_optimization=False, skip_constant_folding=True, skip_shape_inference=True
    )
    _save(simplified, source, target)


def with_onnxoptimizer(source: str, target: str) -> None:
    """optimize() with its pass that does nothing."""
    import onnx
    import onnxoptimizer

    model = onnx.load(source)
    _edit_proto(model)
    _save(onnxoptimizer.optimize(model, ["nop"]), source, target)


def with_onnxruntime(source: str, target: str) -> None:
    """Load with every optimisation off, and let the session write the model; it cannot edit."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = target
    onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])


def _save(model, source: str, target: str) -> None:  # type: ignore[no-untyped-def]
    """Save a model that holds its weights; with external data if that is how they came, for 2 GiB is the limit."""
    import onnx

    external = Path(source + ".data").exists()
    onnx.save(model, target, save_as_external_data=external, location=Path(target).name + ".data")


def _edit_proto(model) -> None:  # type: ignore[no-untyped-def]
    for node in model.graph.node:
        if node.op_type != "Resize":
            continue
        for attribute in node.attribute:
            if attribute.name == _ATTRIBUTE:
                attribute.s = _MODE.encode()


JOBS: dict[str, Callable[[str, str], None]] = {
    "onnx": with_onnx,
    "onnx-lazy": with_onnx_lazy,
    "graphsurgeon": with_graphsurgeon,
    "graphsurgeon-unchanged": with_graphsurgeon_unchanged,
    "graphsurgeon-cleanup": with_graphsurgeon_cleanup,
    "onnx-ir": with_onnx_ir,
    "onnxscript": with_onnxscript,
    "onnxslim": with_onnxslim,
    "onnxsim": with_onnxsim,
    "onnxoptimizer": with_onnxoptimizer,
    "onnxruntime": with_onnxruntime,
}


def main() -> None:
    """Run one job on one file, or on every file of a directory."""
    tool, source, target = sys.argv[1:]
    job = JOBS[tool]
    if not Path(source).is_dir():
        job(source, target)
        return
    Path(target).mkdir()
    for path in sorted(Path(source).glob("*.onnx")):
        job(str(path), str(Path(target, path.name)))


if __name__ == "__main__":
    main()
