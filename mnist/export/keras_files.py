"""The formats that Keras itself writes and loads: HDF5, its zip archive, weights, and the architecture as text."""

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from mnist.export.runtime import Source
from mnist.learning.backend import keras
from mnist.learning.model import load_model
from mnist.learning.serialization import from_json, to_json

Text = Callable[[str], keras.Model]


def write_h5(source: Source, path: Path) -> None:
    """The model's own file."""
    path.write_bytes(source.file.read_bytes())


def write_keras(source: Source, path: Path) -> None:
    """Keras' zip archive without the time it was made at, and with about.json."""
    source.model.save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(parts["metadata.json"])
    parts["metadata.json"] = json.dumps({"keras_version": metadata["keras_version"]}).encode()
    parts["about.json"] = json.dumps(source.about._asdict()).encode()  # Keras passes it over
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def load_whole(path: Path, _: Source) -> keras.Model:
    """A model with its optimizer state."""
    return load_model(path)


def write_weights(source: Source, path: Path) -> None:
    """The weights in Keras' zip archive, which is made in memory: on a full disk HDF5 ends the process.

    Without the optimizer state, of which a model that is not compiled would complain.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "model.keras")
        _same_weights(_uncompiled(source.model), source.model).save(archive)
        with zipfile.ZipFile(archive) as parts:
            path.write_bytes(parts.read("model.weights.h5"))


def load_weights(path: Path, source: Source) -> keras.Model:
    """Weights alone cannot predict: they get the model's architecture."""
    copy = _uncompiled(source.model)
    copy.load_weights(path)
    return copy


def write_text(to_text: Callable[[keras.Model], str]) -> Callable[[Source, Path], object]:
    """A writer of the architecture as text."""
    return lambda source, path: path.write_text(to_text(source.model), encoding="utf-8")


def load_text(from_text: Text) -> Callable[[Path, Source], keras.Model]:
    """A loader of such a text; an architecture alone cannot predict, so it gets the model's weights."""
    return lambda path, source: _same_weights(from_text(path.read_text(encoding="utf-8")), source.model)


def _uncompiled(model: keras.Model) -> keras.Model:
    return from_json(to_json(model))


def _same_weights(model: keras.Model, source: keras.Model) -> keras.Model:
    model.set_weights(source.get_weights())
    return model
