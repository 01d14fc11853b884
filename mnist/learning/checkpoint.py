"""Resumable checkpoints: one file, replaced after each epoch.

Its name is a hash of everything that the training depends on, so a checkpoint of another training is never taken.
"""

import hashlib
import json
import math
import shutil
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

from mnist.core.files import atomic, require_room, sha256
from mnist.core.sections import Dataset, Recipe
from mnist.learning.backend import keras, tf
from mnist.learning.feed import Data
from mnist_reader.core import normalisation, pixels

SHA256 = hashlib.sha256().digest_size
ROOM = 2**20  # bytes that HDF5 may need beside the numbers
History = list[dict[str, float]]  # a row for each epoch


def key(recipe: Recipe, dataset: Dataset, data: Data) -> str:
    """Hash of all that a training's weights depend on: recipe, classes, data, code and versions."""
    versions = [keras.__version__, tf.__version__, np.__version__]
    known = [
        recipe.recipe,
        recipe.model,
        recipe.train.model_dump(),
        dataset.classes,
        dataset.size,
        recipe.seed,
        versions,
    ]
    digest = hashlib.sha256(json.dumps(known).encode())
    for array in data:
        digest.update(np.ascontiguousarray(array).data)
    for file in [*sorted(Path(__file__).parent.glob("*.py")), Path(pixels.__file__), Path(normalisation.__file__)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:32]


class Checkpoint:
    """The resumable state of one training: weights, optimizer state and the history so far, in one HDF5 file.

    The SHA-256 of that file's bytes follows after them; HDF5 reads no further than its own end.

    A context: train and save the results within. Left without an error, the training is finished and the file is
    removed; left by an error, the file stays for the next run.
    """

    def __init__(self, folder: Path, recipe: Recipe, dataset: Dataset, data: Data) -> None:
        """The `folder` is for this training alone: every other file in it is deleted."""
        self.path, self.epochs = folder / f"{key(recipe, dataset, data)}.weights.h5", recipe.train.epochs
        for stale in set(folder.glob("*")) - {self.path}:
            _remove(stale)

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        if kind is None:
            _remove(self.path)

    def load(self, model: keras.Model) -> History:
        """Set a compiled `model` to the checkpoint, if there is one that serves.

        Returns:
            One row of history for each epoch already done; empty where the training starts afresh.
        """
        if not self.path.is_file():
            return []
        if not _is_whole(self.path):
            print(f"{self.path}: damaged, so the training starts afresh", flush=True)
            return []
        with h5py.File(self.path) as file:
            history: History = json.loads(file.attrs["history"])
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.path)
        print(f"going on after epoch {len(history)} of {self.epochs}", flush=True)
        return history

    def save(self, model: keras.Model, history: History) -> None:
        """Replace the checkpoint, all or nothing.

        Raises:
            NoRoomError: the disk is too full for it.
        """
        require_room(self.path.parent, bytes_of(model))
        with atomic(self.path) as scratch:
            model.save_weights(scratch)
            with h5py.File(scratch, "a") as file:
                file.attrs["history"] = json.dumps(history)
            digest = bytes.fromhex(sha256(scratch))
            with scratch.open("ab") as file:
                file.write(digest)


def bytes_of(model: keras.Model) -> int:
    """What a compiled model takes in HDF5, at most: weights, optimizer state and their names."""
    variables = [*model.variables, *model.optimizer.variables]
    return ROOM + sum(math.prod(variable.shape) * 4 for variable in variables)


def _is_whole(path: Path) -> bool:
    content = path.read_bytes()
    return hashlib.sha256(content[:-SHA256]).digest() == content[-SHA256:]


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
