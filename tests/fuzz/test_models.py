"""Damaged model files are loaded or refused in one line.

Not HDF5: on some damaged files HDF5 1.14 itself never comes back, in C, where nothing can stop it. Such files are held
to their SHA-256 instead, by DVC and by SHA256SUMS.
"""

import functools
import tempfile

import pytest

from mnist.core.errors import run
from mnist.export.formats import FORMATS
from mnist.export.runtime import Source
from mnist.learning.backend import quiet
from mnist.learning.model import load_model
from mnist.learning.serialization import from_json, from_yaml
from mnist_reader.classifier import Classifier
from tests.conftest import ABOUT
from tests.fuzz.damage import damaged

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tiny_model, tmp_path_factory):
    """Path of the tiny model in a format, by the format's name."""
    folder = tmp_path_factory.mktemp("written")
    tiny_model.save(folder / "model.h5")
    source, paths = Source(load_model(folder / "model.h5"), folder / "model.h5", None, ABOUT), {}
    for name in ("keras", "yaml", "json", "onnx"):
        paths[name] = folder / FORMATS[name].file(ABOUT.version)
        with quiet():
            FORMATS[name].write(source, paths[name])
    return paths


LOADERS = {
    "keras": load_model,
    "onnx": Classifier,
    "yaml": lambda path: from_yaml(path.read_text(encoding="utf-8", errors="replace")),
    "json": lambda path: from_json(path.read_text(encoding="utf-8", errors="replace")),
}


@pytest.mark.parametrize("name", LOADERS)
def test_a_damaged_model_is_loaded_or_refused(written, tmp_path, name, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where reports go
    path = tmp_path / written[name].name
    for content in damaged(written[name].read_bytes(), name):
        path.write_bytes(content)
        try:
            with quiet():
                run(functools.partial(LOADERS[name], path))  # as every program does
        except SystemExit as end:
            assert str(end).startswith("error: ")
            assert "\n" not in str(end)
