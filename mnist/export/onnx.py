"""ONNX, for ONNX Runtime and most others. Its libraries take time to import, so only where they are used."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mnist.core.errors import UserError
from mnist.export.proof import digest
from mnist.export.runtime import Predict, Source, in_batches, inputs
from mnist.export.saved_model import write_files
from mnist.learning.backend import keras
from mnist_reader.about import About

OPSET = 17  # of ONNX 1.12, July 2022


def write_onnx(source: Source, path: Path) -> None:
    """ONNX with a free batch size, and `source.about` in its metadata."""
    path.write_bytes(onnx_bytes(source))


def onnx_bytes(source: Source) -> bytes:
    """The content of the ONNX file; the wheel holds it too, so a model is converted once."""
    return _onnx(digest(source.model), source.model, source.about)


@functools.lru_cache(maxsize=1)
def _onnx(digest: str, model: keras.Model, about: About) -> bytes:
    """The `model` that has this digest; tf2onnx's names become numbers in order of use."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        saved, file = Path(folder, "model"), Path(folder, "model.onnx")
        write_files(digest, model, saved)
        _convert(saved, file)
        proto = onnx.load(file)
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
    graph.doc_string = ""  # names the folder
    onnx.helper.set_model_props(proto, about.properties)
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


def _convert(saved_model: Path, file: Path) -> None:
    """Convert in a process of its own with a fixed hash seed: tf2onnx 1.17 walks through sets of names.

    Raises:
        UserError: tf2onnx does not know an operation of the model.
    """
    command = [sys.executable, "-m", "tf2onnx.convert", "--opset", str(OPSET)]
    command += ["--saved-model", str(saved_model), "--output", str(file)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise UserError(f"tf2onnx: {process.stderr.strip().rpartition(chr(10))[2]}")


def load_onnx(path: Path, _: Source) -> Predict:
    """Run by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: in_batches(lambda part: session.run(None, {"image": inputs(part)})[0], images)
