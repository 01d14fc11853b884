"""Export formats, one row each: how to write it, how to load it in its own runtime and predict, how others use it.

A format's own libraries are imported where it is written or loaded, so that only the chosen ones cost time.
"""

import functools
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mnist.learning import architecture
from mnist.learning.backend import keras, tf
from mnist.learning.model import BATCH, load_model
from mnist.pixels import scale

NAME = "MNIST_keras_CNN"

Images = np.ndarray  # uint8 (n, 28, 28)
Predict = Callable[[Images], np.ndarray]  # → float32 (n, classes)
Text = Callable[[str], keras.Model]


class Format(NamedTuple):
    """One way to write a trained model, and to use what was written."""

    suffix: str  # of the file or folder
    write: Callable[[keras.Model, Path, Images], object]  # the model, where to, training images to calibrate with
    load: Callable[[Path, keras.Model], keras.Model | Predict]  # what was written, the model it came from
    usage: str  # a line of code; {file} is the file, `x` the float32 input (n, 28, 28, 1) in 0–1, `pixels` its bytes
    exact: bool = True  # the same predictions as the model; otherwise nearly its accuracy


def digest(model: keras.Model) -> str:
    """SHA-256 of the architecture and the weights: models of the same digest predict the same."""
    found = hashlib.sha256(architecture.to_json(model).encode())
    for values in model.get_weights():
        found.update(values.tobytes())
    return found.hexdigest()


def _inputs(images: Images) -> np.ndarray:
    return scale(images.astype(np.float32))


def _in_batches(run: Callable[[np.ndarray], np.ndarray], images: Images) -> np.ndarray:
    return np.concatenate([run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])


def _same_weights(model: keras.Model, source: keras.Model) -> keras.Model:
    model.set_weights(source.get_weights())
    return model


def _write_h5(model: keras.Model, path: Path, _: Images) -> None:
    """Keras' HDF5; its writer (3.15) takes the optimizer out of the model's compile settings, so put it back."""
    settings = dict(model._compile_config.config)
    model.save(path)
    model._compile_config.config.update(settings)


def _write_keras(model: keras.Model, path: Path, _: Images) -> None:
    """Keras' zip archive without the time it was made at."""
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(parts["metadata.json"])
    parts["metadata.json"] = json.dumps({"keras_version": metadata["keras_version"]}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _write_weights(model: keras.Model, path: Path, _: Images) -> None:
    """Without the optimizer state, of which a model that is not compiled would complain."""
    _same_weights(_uncompiled(model), model).save_weights(path)


def _load_weights(path: Path, model: keras.Model) -> keras.Model:
    copy = _uncompiled(model)
    copy.load_weights(path)
    return copy


def _uncompiled(model: keras.Model) -> keras.Model:
    return architecture.from_json(architecture.to_json(model))


def folded(model: keras.Model) -> keras.Model:
    """The same predictions with each BatchNormalization that follows a Conv2D or Dense made part of that layer.

    Source: Jacob et al., arXiv 1712.05877, section 3.2. Other models than a Sequential come back unchanged.
    """
    if not isinstance(model, keras.Sequential):
        return model
    parts: list[tuple[keras.layers.Layer, list[np.ndarray]]] = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and parts and _absorbs(*parts[-1], layer):
            before, (kernel, *bias) = parts.pop()  # one bias or none
            gamma = layer.gamma.numpy() if layer.scale else 1
            beta = layer.beta.numpy() if layer.center else 0
            factor = gamma / np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
            weights = [kernel * factor, (sum(bias) - layer.moving_mean.numpy()) * factor + beta]
            parts.append((type(before).from_config(before.get_config() | {"use_bias": True}), weights))
        else:
            parts.append((type(layer).from_config(layer.get_config()), layer.get_weights()))
    copy = keras.Sequential([keras.Input(model.input_shape[1:]), *(layer for layer, _ in parts)])
    for layer, weights in parts:
        layer.set_weights(weights)
    return copy


def _absorbs(
    layer: keras.layers.Layer, weights: list[np.ndarray], normalization: keras.layers.BatchNormalization
) -> bool:
    """Whether the layer gives its kernel's and bias' linear result, and the channels last that are normalized."""
    return (
        type(layer) in (keras.layers.Conv2D, keras.layers.Dense)
        and layer.activation is keras.activations.linear
        and len(weights) == 1 + layer.use_bias  # none of LoRA
        and layer.dtype_policy.name == normalization.dtype_policy.name == "float32"  # neither mixed nor quantized
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and normalization.axis in (-1, normalization.input_spec.ndim - 1)
    )


def _serving_function(model: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    plain = folded(model)
    return tf.function(lambda image: plain(image, training=False), input_signature=_signature(model))


def _signature(model: keras.Model) -> list[tf.TensorSpec]:
    return [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]


@functools.lru_cache(maxsize=1)
def _saved_model(_: str, model: keras.Model) -> dict[Path, bytes]:
    """The files of a SavedModel of the `model` that has this digest; both LiteRT files are made from it too.

    Of constants, as variables would be written in an order that changes from run to run.
    """
    from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = _serving_function(model)  # kept, as it alone holds the variables
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    module = tf.Module()
    module.serve = tf.function(lambda image: {"probabilities": frozen(image)[0]}, input_signature=_signature(model))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
        files = {path.relative_to(folder): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
    name = Path("fingerprint.pb")
    fingerprint = FingerprintDef.FromString(files[name])
    fingerprint.uuid = ""  # random otherwise
    return files | {name: fingerprint.SerializeToString(deterministic=True)}


def _write_saved_model(model: keras.Model, path: Path) -> None:
    for name, content in _saved_model(digest(model), model).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def _load_saved_model(path: Path, _: keras.Model) -> Predict:
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def run(images: Images, keep: object = loaded) -> np.ndarray:
        return serve(image=tf.constant(_inputs(images)))["probabilities"].numpy()

    return lambda images: _in_batches(run, images)


@contextmanager
def _litert_converter(model: keras.Model) -> Iterator[tf.lite.TFLiteConverter]:
    """By way of our SavedModel, twice as fast as from Keras' own, and the signature keeps its names."""
    with tempfile.TemporaryDirectory() as folder:
        _write_saved_model(model, Path(folder))
        yield tf.lite.TFLiteConverter.from_saved_model(folder)


def _write_litert(model: keras.Model, path: Path, _: Images) -> None:
    with _litert_converter(model) as converter:
        path.write_bytes(converter.convert())


def _write_litert_int8(model: keras.Model, path: Path, images: Images) -> None:
    """Weights and activations as 8-bit integers, ranges taken from training images; bytes in, bytes out."""
    with _litert_converter(model) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in _inputs(images)[:, None])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        path.write_bytes(converter.convert())


def _load_litert(path: Path, _: keras.Model) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=2)
    (entry,), (exit_,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(images: Images) -> np.ndarray:
        interpreter.resize_tensor_input(entry["index"], (len(images), *entry["shape"][1:]))
        interpreter.allocate_tensors()
        interpreter.set_tensor(entry["index"], _quantized(_inputs(images), entry))
        interpreter.invoke()
        return _dequantized(interpreter.get_tensor(exit_["index"]), exit_)

    return lambda images: _in_batches(run, images)


def _quantized(values: np.ndarray, tensor: dict) -> np.ndarray:
    step, zero = tensor["quantization"]
    return np.rint(values / step + zero).astype(tensor["dtype"]) if step else values


def _dequantized(values: np.ndarray, tensor: dict) -> np.ndarray:
    step, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * step if step else values


def _write_onnx(model: keras.Model, path: Path, _: Images) -> None:
    """ONNX with a free batch size; names that tf2onnx draws at random become numbers in order of use."""
    import onnx
    import tf2onnx

    proto, _unused = tf2onnx.convert.from_function(
        _serving_function(model), input_signature=_signature(model), opset=17
    )
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
    onnx.checker.check_model(proto, full_check=True)
    path.write_bytes(proto.SerializeToString(deterministic=True))


def _load_onnx(path: Path, _: keras.Model) -> Predict:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: _in_batches(lambda part: session.run(None, {"image": _inputs(part)})[0], images)


def _text(to_text: Callable[[keras.Model], str]) -> Callable[[keras.Model, Path, Images], object]:
    return lambda model, path, _: path.write_text(to_text(model), encoding="utf-8")


def _load_text(from_text: Text) -> Callable[[Path, keras.Model], keras.Model]:
    """An architecture alone cannot predict: it gets the model's weights."""
    return lambda path, model: _same_weights(from_text(path.read_text(encoding="utf-8")), model)


FORMATS = {
    "h5": Format(
        ".h5",
        _write_h5,
        lambda path, _: load_model(path),
        'keras.models.load_model("{file}").predict(x)',
    ),
    "keras": Format(
        ".keras",
        _write_keras,
        lambda path, _: load_model(path),
        'keras.models.load_model("{file}").predict(x)',
    ),
    "weights": Format(
        ".weights.h5", _write_weights, _load_weights, 'model.load_weights("{file}")  # model: from the YAML or JSON'
    ),
    "yaml": Format(
        ".yaml",
        _text(architecture.to_yaml),
        _load_text(architecture.from_yaml),
        'keras.models.model_from_json(json.dumps(yaml.safe_load(open("{file}"))))',
    ),
    "json": Format(
        ".json",
        _text(architecture.to_json),
        _load_text(architecture.from_json),
        'keras.models.model_from_json(open("{file}").read())',
    ),
    "saved_model": Format(
        "_saved_model",
        lambda model, path, _: _write_saved_model(model, path),
        _load_saved_model,
        'tf.saved_model.load("{file}").signatures["serving_default"](image=tf.constant(x))["probabilities"]',
    ),
    "litert": Format(
        ".tflite",
        _write_litert,
        _load_litert,
        'ai_edge_litert.interpreter.Interpreter("{file}").get_signature_runner()(image=x)["probabilities"]',
    ),
    "litert_int8": Format(
        "_int8.tflite",
        _write_litert_int8,
        _load_litert,
        'ai_edge_litert.interpreter.Interpreter("{file}").get_signature_runner()(image=pixels)["probabilities"] / 256',
        exact=False,
    ),
    "onnx": Format(
        ".onnx", _write_onnx, _load_onnx, 'onnxruntime.InferenceSession("{file}").run(None, {{"image": x}})[0]'
    ),
}
