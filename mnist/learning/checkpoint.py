"""Where an interrupted training goes on: one file after each epoch, named by everything it depends on."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mnist.files import atomic
from mnist.learning.backend import keras, tf
from mnist.params import Training

# The code that decides what the weights become; a change in any of it makes old checkpoints worthless.
CODE = ("architecture", "augmentation", "backend", "checkpoint", "normalization", "pixels", "training")


def key(layers: list[Any], training: Training, seed: int, images: np.ndarray, labels: np.ndarray) -> str:
    """Hash of all that a training's weights depend on: settings, data, code and library versions.

    A constant learning rate makes epoch k independent of how many follow, so `epochs` is left out there.
    """
    settings = training.model_dump(exclude={"epochs"} if training.schedule == "constant" else set())
    versions = [keras.__version__, tf.__version__, np.__version__]
    digest = hashlib.sha256(json.dumps([layers, settings, seed, versions]).encode())
    for array in (images, labels):
        digest.update(np.ascontiguousarray(array).data)
    for name in CODE:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:32]


class Checkpoint:
    """The resumable state of one training: weights, optimizer state and the history so far, in one HDF5 file."""

    def __init__(self, folder: Path, key: str) -> None:
        """Use `folder` for this training alone; checkpoints of other keys there no longer serve and are removed."""
        self.path = folder / f"{key}.weights.h5"
        for stale in set(folder.glob("*")) - {self.path}:
            _remove(stale)

    def load(self, model: keras.Model, epochs: int) -> list[dict[str, float]]:
        """Set a compiled `model` to the checkpoint, if there is one of at most `epochs` epochs.

        One whose training ended there and saved its results serves longer trainings alone, so that
        `dvc repro --force` trains.

        Returns:
            One row of history for each epoch already done; empty where the training starts afresh.
        """
        if not self.path.is_file():
            return []
        model.optimizer.build(model.trainable_variables)
        fresh = [(variable, variable.numpy()) for variable in (*model.variables, *model.optimizer.variables)]
        try:
            with h5py.File(self.path) as file:
                history: list[dict[str, float]] = json.loads(file.attrs["history"])
                finished = "finished" in file.attrs
            if len(history) + finished > epochs:
                return []
            model.load_weights(self.path)
        except (OSError, KeyError, ValueError):
            print(f"{self.path}: damaged, so the training starts afresh", flush=True)
            for variable, value in fresh:
                variable.assign(value)
            return []
        print(f"going on after epoch {len(history)} of {epochs}", flush=True)
        return history

    def save(self, model: keras.Model, history: list[dict[str, float]]) -> None:
        """Replace the checkpoint, all or nothing."""
        with atomic(self.path) as scratch:
            model.save_weights(scratch)
            with h5py.File(scratch, "a") as file:
                file.attrs["history"] = json.dumps(history)

    def finish(self, training: Training) -> None:
        """Call once the results are saved. Removes the checkpoint, unless more epochs could follow it."""
        if training.schedule == "constant":
            with h5py.File(self.path, "a") as file:
                file.attrs["finished"] = True
        else:
            _remove(self.path)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
