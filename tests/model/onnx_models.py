"""Models that the tests of `Model` and the passes share, built with onnx.helper only."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def tensor(name: str, values: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=dtype), name)


def info(name: str, shape: list[Any] | None, dtype: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, shape)


def make_model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto] | None = None,
    *,
    opset: int = 18,
    ir_version: int = 8,
    functions: list[onnx.FunctionProto] | None = None,
    domains: dict[str, int] | None = None,
    value_info: list[onnx.ValueInfoProto] | None = None,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers or [], value_info=value_info)
    if ir_version < 4:  # initializers were inputs then
        named = {entry.name for entry in graph.input}
        graph.input.extend(
            helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
            for t in graph.initializer
            if t.name not in named
        )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
    model = helper.make_model(graph, opset_imports=imports, functions=functions or [])
    model.ir_version = ir_version
    return model


def resize_model(
    shape: list[Any],
    output: list[Any] | None,
    *,
    scales: list[float] | None = None,
    sizes: list[int] | None = None,
    opset: int = 18,
    **attributes: Any,
) -> onnx.ModelProto:
    """One Resize named ``up``, with constant scales or sizes."""
    initializers, inputs = [], ["x"]
    if opset < 11:
        initializers.append(tensor("scales", scales))
        inputs.append("scales")
    else:
        roi = "" if opset >= 13 else "empty"
        if opset < 13:
            initializers.append(tensor("empty", []))
        inputs += [roi, "scales" if scales is not None else ("" if opset >= 13 else "empty")]
        if scales is not None:
            initializers.append(tensor("scales", scales))
        else:
            initializers.append(tensor("sizes", sizes, np.int64))
            inputs.append("sizes")
    node = helper.make_node("Resize", inputs, ["y"], name="up", **attributes)
    return make_model([node], [info("x", shape)], [info("y", output)], initializers, opset=opset)


def run(model: onnx.ModelProto | bytes, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs in onnxruntime, optimisations off."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    data = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = {entry.name for entry in session.get_inputs()}
    return list(session.run(None, {name: value for name, value in feeds.items() if name in names}))


def everything() -> onnx.ModelProto:
    """A valid model that carries every optional field that ONNX has, and a field that no version knows."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["u", "k"], ["b"], name="add", doc_string="branch node")],
        "then",
        [],
        [info("b", None)],
        [tensor("k", [1.0])],
        doc_string="branch doc",
    )
    branch.metadata_props.add(key="branch", value="kept")
    other = helper.make_graph([helper.make_node("Neg", ["u"], ["b2"])], "else", [], [info("b2", None)])
    call = helper.make_node("F", ["c"], ["f"], name="call", domain="local", alpha=0.5)
    call.overload = "v2"
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1], doc_string="node doc"),
        call,
        helper.make_node("Resize", ["f", "", "s"], ["u"], name="up", mode="linear"),
        helper.make_node("If", ["cond"], ["y"], name="if", then_branch=branch, else_branch=other),
        helper.make_node("Constant", [], ["dead"], value_string="unused", name="dead"),
    ]
    nodes[0].metadata_props.add(key="origin", value="conv1")
    nodes[0].attribute[0].doc_string = "attribute doc"
    function = helper.make_function(
        "local",
        "F",
        ["a"],
        ["o"],
        [helper.make_node("LeakyRelu", ["a"], ["o"], name="inner", doc_string="inner doc")],
        [helper.make_opsetid("", 18)],
        ["alpha"],
        doc_string="function doc",
        overload="v2",
        value_info=[info("o", None)],
    )
    function.node[0].attribute.add(name="alpha", ref_attr_name="alpha", type=onnx.AttributeProto.FLOAT)
    function.metadata_props.add(key="function", value="kept")
    weights = tensor("w", np.arange(36).reshape(2, 2, 3, 3) / 36)
    weights.doc_string = "weights doc"
    weights.metadata_props.add(key="weights", value="kept")
    model = make_model(
        nodes,
        [info("x", ["N", 2, 5, 7]), info("cond", [], TensorProto.BOOL)],
        [info("y", ["N", 2, 10, 14])],
        [weights, tensor("s", [1, 1, 2, 2]), tensor("unused", [3.0])],
        functions=[function],
        domains={"local": 1, "extra.domain": 3},
        ir_version=11,
        value_info=[info("c", ["N", 2, 5, 7])],
    )
    graph = model.graph
    graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [2], [b"a", b"\xff\x00"]))
    sparse = graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(helper.make_tensor("sparse", FLOAT, [1], [2.0]))
    sparse.indices.CopyFrom(helper.make_tensor("sparse_indices", TensorProto.INT64, [1], [1]))
    graph.doc_string = "graph doc"
    graph.metadata_props.add(key="graph", value="kept")
    graph.input[0].doc_string = "input doc"
    graph.input[0].metadata_props.add(key="input", value="kept")
    graph.input[0].type.denotation = "IMAGE"
    graph.input[0].type.tensor_type.shape.dim[1].denotation = "DATA_CHANNEL"
    note = graph.quantization_annotation.add(tensor_name="c")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="s")
    model.doc_string, model.domain, model.model_version = "model doc", "org.example", 7
    model.producer_name, model.producer_version = "tests", "1.0"
    model.metadata_props.add(key="model", value="kept")
    training = model.training_info.add()
    training.algorithm.name = "step"
    training.initialization.node.append(helper.make_node("Constant", [], ["t"], value_float=1.0))
    training.update_binding.add(key="w", value="w2")
    unknown = b"\xda\xb8\x02\x05later"  # field 4999, length-delimited
    extended = onnx.ModelProto.FromString(model.SerializeToString() + unknown)
    assert unknown in extended.SerializeToString()
    return extended
