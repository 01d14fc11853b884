"""What several test modules share."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from mnist_reader.about import About
from tests import clones, digits

ROOT = clones.ROOT
ABOUT = About("Handwritten digits", "CC0", tuple("0123456789"), "ink", 0.5, "7.8.9")  # of the tests' models

# Conv, batch normalization and dropout: all that a resumed training could get wrong, and fast.
CLASSES = [str(digit) for digit in range(10)]
TINY = [
    {"Conv2D": {"name": "conv", "filters": 4, "kernel_size": 3, "strides": 3}},
    {"BatchNormalization": {"name": "bn"}},
    {"ReLU": {"name": "relu"}},
    {"Flatten": {"name": "flat"}},
    {"Dropout": {"name": "drop", "rate": 0.3}},
    {"Dense": {"name": "out", "units": 10, "activation": "softmax"}},
]


@pytest.fixture(scope="session")
def real_digits():
    """`uint8` images `(1797, 28, 28)` and labels `(1797,)`."""
    return digits.load()


@pytest.fixture
def content():
    """The default recipe as plain data, free to be changed."""
    return yaml.safe_load((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def run_module(tmp_path):
    """Run `python -m <module>` of this project in the test's own folder."""

    def run(*arguments):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def recipe_of(model=TINY, seed=0, name="tiny", **train):
    """A recipe: one epoch in batches of 32 with Adam, unless `train` says otherwise."""
    from mnist.core.sections import Recipe

    quick = {"epochs": 1, "batch_size": 32, "optimizer": {"Adam": {}}, "learning_rate": 0.01, "schedule": "constant"}
    values = {"recipe": name, "seed": seed, "dataset": "digits", "train": quick | train, "model": model}
    return Recipe.model_validate(values | {"export": {"formats": ["h5"]}})


def dataset_of(classes=CLASSES, shape=(28, 28), **values):
    """A data set whose files nobody will ask for."""
    from mnist.core.sections import Dataset

    files = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    about = {"classes": list(classes), "shape": list(shape), "sources": ["file:nowhere"]}
    return Dataset.model_validate(about | {"sha256": dict.fromkeys(files, "0" * 64)} | values)


@pytest.fixture(scope="session")
def tiny_model(real_digits):
    """A compiled tiny model after 4 epochs of 45 steps: right on most digits, so that small changes do not show."""
    from mnist.learning import backend
    from mnist.learning.architecture import build

    backend.make_deterministic(0)
    model = build("tiny", TINY, 10)
    model.compile(backend.keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    images, labels = (part[: digits.TRAIN] for part in real_digits)
    model.fit(images[..., None] / np.float32(255), labels, batch_size=32, epochs=4, verbose=0)
    return model


@pytest.fixture
def project(tmp_path, monkeypatch, content, tiny_model, real_digits):
    """A folder, entered, with parameters, test images and a model."""
    from mnist.core.table import write_csv

    monkeypatch.chdir(tmp_path)
    write_params(tmp_path, content)
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    (tmp_path / "data/csv").mkdir(parents=True)
    write_csv([tuple(part[digits.TRAIN :] for part in real_digits)], tmp_path / "data/csv/test.csv")
    (tmp_path / "models").mkdir()
    tiny_model.save(tmp_path / "models/MNIST_keras_CNN.h5")
    return tmp_path


def write_params(folder, content):
    """Write a recipe as the params.yaml of a folder."""
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory):
    """A clone after `dvc repro`, committed; tests work on copies. All workers copy the one that the first has made."""
    import fcntl  # Windows has none

    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "done").exists():
            clone = clones.small_clone(shared)
            assert clones.stages_run(clone.run("dvc", "repro")) == list(clones.STAGES)
            clone.commit("reproduced")
            (shared / "done").touch()
    return clones.Clone(shared / "clone").copy(tmp_path_factory.mktemp("reproduced"))
