"""SavedModel, for TensorFlow Serving."""

import functools
import tempfile
from pathlib import Path

import numpy as np

from mnist.core.files import write_json
from mnist.export.folding import folded
from mnist.export.proof import digest
from mnist.export.runtime import Images, Predict, Source, in_batches, inputs
from mnist.learning.backend import keras, tf


def _signature(model: keras.Model) -> list[tf.TensorSpec]:
    """The input of every graph: `image`, float32, with a free batch size."""
    return [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]


@functools.lru_cache(maxsize=1)
def _saved_model(_: str, model: keras.Model) -> dict[Path, bytes]:
    """The files of a SavedModel of the `model` that has this digest; LiteRT and ONNX files are made from it too.

    Of constants, as variables would be written in an order that changes from run to run.
    """
    from tensorflow.core.protobuf.fingerprint_pb2 import FingerprintDef
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    plain = folded(model)
    function = tf.function(lambda image: plain(image, training=False), input_signature=_signature(model))
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


def write_saved_model(source: Source, path: Path) -> None:
    """A SavedModel with one signature, `image` → `probabilities`, and assets.extra/about.json."""
    write_files(digest(source.model), source.model, path)
    (path / "assets.extra").mkdir()  # TensorFlow's place for files that are not part of the graph
    write_json(path / "assets.extra" / "about.json", source.about._asdict())


def write_files(digest: str, model: keras.Model, path: Path) -> None:
    """TensorFlow's own files of a SavedModel of the `model` that has this digest."""
    for name, content in _saved_model(digest, model).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def load_saved_model(path: Path, _: Source) -> Predict:
    """Its signature, run by TensorFlow."""
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def run(images: Images, keep: object = loaded) -> np.ndarray:
        return serve(image=tf.constant(inputs(images)))["probabilities"].numpy()

    return lambda images: in_batches(run, images)
