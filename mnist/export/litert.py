"""LiteRT (TensorFlow Lite), for phones and microcontrollers: float32, or 8-bit integers."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mnist.export.runtime import Images, Predict, Source, in_batches, inputs
from mnist.export.saved_model import write_saved_model
from mnist.learning.backend import tf


@contextmanager
def _converter(source: Source) -> Iterator[tf.lite.TFLiteConverter]:
    """By way of our SavedModel, twice as fast as from Keras' own, and the signature keeps its names."""
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(source, Path(folder))
        yield tf.lite.TFLiteConverter.from_saved_model(folder)


def write_litert(source: Source, path: Path) -> None:
    """float32 in and out."""
    with _converter(source) as converter:
        path.write_bytes(_described(converter.convert(), source))


def write_litert_int8(source: Source, path: Path) -> None:
    """Weights and activations as 8-bit integers, ranges taken from training images; bytes in, bytes out."""
    with _converter(source) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in inputs(source.calibration)[:, None])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        path.write_bytes(_described(converter.convert(), source))


def _described(content: bytes, source: Source) -> bytes:
    """The LiteRT file with `source.about`, as JSON, in its metadata entry `about`."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = list(json.dumps(source.about._asdict()).encode())
    entry.name, entry.buffer = "about", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def load_litert(path: Path, _: Source) -> Predict:
    """Run by LiteRT's own interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=2)
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(images: Images) -> np.ndarray:
        interpreter.resize_tensor_input(entry["index"], (len(images), *entry["shape"][1:]))
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], _quantized(inputs(images), entry))
        interpreter.invoke()
        return _dequantized(interpreter.get_tensor(exit_["index"]), exit_)

    return lambda images: in_batches(run, images)


def _quantized(values: np.ndarray, tensor: dict) -> np.ndarray:
    step, zero = tensor["quantization"]
    return np.rint(values / step + zero).astype(tensor["dtype"]) if step else values


def _dequantized(values: np.ndarray, tensor: dict) -> np.ndarray:
    step, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * step if step else values
