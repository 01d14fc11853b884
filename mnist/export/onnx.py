"""ONNX, for ONNX Runtime and most others. Its libraries take time to import, so only where they are used."""

import functools
from pathlib import Path

from mnist.export.proof import digest
from mnist.export.runtime import Predict, Source, in_batches, inputs
from mnist.export.saved_model import serving_function, signature
from mnist.learning.backend import keras
from mnist_reader.about import About


def write_onnx(source: Source, path: Path) -> None:
    """ONNX with a free batch size, and `source.about` in its metadata."""
    path.write_bytes(onnx_bytes(source))


def onnx_bytes(source: Source) -> bytes:
    """The content of the ONNX file; the wheel holds it too, so a model is converted once."""
    return _onnx(digest(source.model), source.model, source.about)


@functools.lru_cache(maxsize=1)
def _onnx(_: str, model: keras.Model, about: About) -> bytes:
    """The `model` that has this digest; names that tf2onnx draws at random become numbers in order of use."""
    import onnx
    import tf2onnx

    function, ports = serving_function(model), signature(model)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=ports, opset=17)
    graph = proto.graph
    names = {graph.input[0].name: "image", graph.output[0].name: "probabilities"}
    for index, node in enumerate(graph.node):
        for name in (*node.input, *node.output):
            names.setdefault(name, f"tensor{len(names)}")
        node.name = f"{node.op_type}{index}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names[value.name]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    graph.initializer.sort(key=lambda value: value.name)
    del graph.value_info[:]
    graph.doc_string = ""  # holds a running number
    onnx.helper.set_model_props(proto, about.properties)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


def load_onnx(path: Path, _: Source) -> Predict:
    """Run by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: in_batches(lambda part: session.run(None, {"image": inputs(part)})[0], images)
