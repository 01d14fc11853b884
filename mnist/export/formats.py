"""Export formats, one row each: how to write it, how to load it in its own runtime, how others use it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mnist.core.errors import UserError, first_line, nearest
from mnist.core.paths import MODEL
from mnist.export import keras_files, litert, onnx, saved_model, wheel
from mnist.export.runtime import Predict, Source
from mnist.learning import serialization
from mnist.learning.backend import keras


class FormatError(UserError):
    """params.yaml asks for a format that is not in the table, or that cannot hold the model."""


class Format(NamedTuple):
    """One way to write a trained model, and to use what was written."""

    suffix: str  # of the file or folder
    write: Callable[[Source, Path], object]
    load: Callable[[Path, Source], keras.Model | Predict]
    usage: str  # lines of Python; {file} is the file, `x` the float32 input in 0–1, `pixels` its bytes
    exact: bool = True  # the same predictions as the model; otherwise nearly its accuracy

    def file(self, version: str) -> str:
        """The name of what is written, for a release of this version."""
        return wheel.file_name(version) if self.suffix == ".whl" else MODEL.stem + self.suffix


WHOLE = 'keras.models.load_model("{file}").predict(x)'
FROM_TEXT = 'model.load_weights("MNIST_keras_CNN.weights.h5")\nmodel.predict(x)'
INTERPRETER = 'from ai_edge_litert.interpreter import Interpreter\nrun = Interpreter("{file}").get_signature_runner()\n'

FORMATS = {
    "h5": Format(".h5", keras_files.write_h5, keras_files.load_whole, f"import keras\n{WHOLE}"),
    "keras": Format(".keras", keras_files.write_keras, keras_files.load_whole, f"import keras\n{WHOLE}"),
    "weights": Format(
        ".weights.h5",
        keras_files.write_weights,
        keras_files.load_weights,
        'import keras\nmodel = keras.models.model_from_json(open("MNIST_keras_CNN.json").read())\n'
        'model.load_weights("{file}")\nmodel.predict(x)',
    ),
    "yaml": Format(
        ".yaml",
        keras_files.write_text(serialization.to_yaml),
        keras_files.load_text(serialization.from_yaml),
        'import json, keras, yaml\nmodel = keras.models.model_from_json(json.dumps(yaml.safe_load(open("{file}"))))\n'
        + FROM_TEXT,
    ),
    "json": Format(
        ".json",
        keras_files.write_text(serialization.to_json),
        keras_files.load_text(serialization.from_json),
        'import keras\nmodel = keras.models.model_from_json(open("{file}").read())\n' + FROM_TEXT,
    ),
    "saved_model": Format(
        "_saved_model",
        saved_model.write_saved_model,
        saved_model.load_saved_model,
        'import tensorflow as tf\nmodel = tf.saved_model.load("{file}")\n'
        'model.signatures["serving_default"](image=tf.constant(x))["probabilities"]',
    ),
    "litert": Format(
        ".tflite",
        litert.write_litert,
        litert.load_litert,
        INTERPRETER + 'run(image=x)["probabilities"]',
    ),
    "litert_int8": Format(
        "_int8.tflite",
        litert.write_litert_int8,
        litert.load_litert,
        INTERPRETER + 'run(image=pixels)["probabilities"] / 256',
        exact=False,
    ),
    "onnx": Format(
        ".onnx",
        onnx.write_onnx,
        onnx.load_onnx,
        'import onnxruntime\nonnxruntime.InferenceSession("{file}").run(None, {{"image": x}})[0]',
    ),
    "wheel": Format(
        ".whl",
        wheel.write_wheel,
        wheel.load_wheel,
        "from mnist_reader import Reader  # after `pip install ./{file}`\nReader().classifier(pixels[..., 0])",
    ),
}


def chosen(names: list[str]) -> dict[str, Format]:
    """The rows of these names.

    Raises:
        FormatError: names the one that is not in the table.
    """
    for index, name in enumerate(names):
        if name not in FORMATS:
            where = f"params.yaml: export.formats.{index}"
            raise FormatError(f"{where}: expected one of {', '.join(FORMATS)}, found '{name}'{nearest(name, FORMATS)}")
    return {name: FORMATS[name] for name in names}


@contextmanager
def refused_in_one_line(name: str) -> Iterator[None]:
    """Raise FormatError for whatever a converter or a runtime makes of a model that it does not know."""
    try:
        yield
    except OSError:  # about the disk
        raise
    except Exception as error:
        raise FormatError(
            f"params.yaml: export.formats: expected formats that hold this model, found {name} (leave it out, or "
            f"change the model): {first_line(error)}"
        ) from None
