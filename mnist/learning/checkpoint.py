"""Resumable checkpoints: one file, replaced after each epoch.

Its name is a hash of everything that the training depends on, so a checkpoint of another training is never taken.
"""

import ast
import hashlib
import io
import json
import os
import platform
import re
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from mnist.core.files import atomic
from mnist.core.sections import Dataset, Recipe
from mnist.learning.backend import keras, tf
from mnist.learning.feed import Data
from mnist_reader.core import normalisation, pixels
from mnist_reader.core.process import cores

SHA256 = hashlib.sha256().digest_size
KERNELS = re.compile(r"(TF_(?!CPP|NUM_INTEROP)|ONEDNN_|DNNL_|XLA_FLAGS|NVIDIA_TF32)")  # variables that choose kernels
PROCESSOR = ("vendor_id", "cpu family", "model", "cache size", "flags")  # of Linux' /proc/cpuinfo
History = list[dict[str, float]]  # a row for each epoch


def key(recipe: Recipe, dataset: Dataset, data: Data) -> str:
    """Hash of all that a training's weights depend on: recipe, classes, data, code, versions and machine."""
    known = [
        recipe.recipe,
        recipe.model,
        recipe.train.model_dump(),
        dataset.classes,
        dataset.size,
        recipe.seed,
        [sys.version, keras.__version__, tf.__version__, np.__version__],
        machine(),
    ]
    digest = hashlib.sha256(json.dumps(known).encode())
    for array in data:
        digest.update(np.ascontiguousarray(array).data)
    for file in [*sorted(Path(__file__).parent.glob("*.py")), Path(pixels.__file__), Path(normalisation.__file__)]:
        digest.update(code(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:32]


def code(source: str) -> str:
    """What Python runs of a module's source: without comments, docstrings and the places of lines."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def machine() -> dict[str, Any]:
    """What of this machine decides how TensorFlow's sums are rounded: processor, threads, and chosen kernels."""
    return {
        "processor": _processor(),
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or cores(),
        "devices": [device.device_type for device in tf.config.list_logical_devices()],
        "environment": {name: value for name, value in sorted(os.environ.items()) if KERNELS.match(name)},
    }


def _processor() -> list[str]:
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:  # not Linux
        return [platform.machine(), platform.processor()]
    return [line for line in first.splitlines() if line.partition(":")[0].strip() in PROCESSOR]


class Checkpoint:
    """The resumable state of one training: weights, optimizer state and the history so far.

    The file is NumPy's zip archive after its SHA-256. It is not HDF5, which ends the process on a full disk.

    A context: train and save the results within. Left without an error, the training is finished and the file is
    removed; left by an error, the file stays for the next run.
    """

    def __init__(self, folder: Path, recipe: Recipe, dataset: Dataset, data: Data) -> None:
        """The `folder` is for this training alone: every other file in it is deleted."""
        self.path, self.epochs = folder / f"{key(recipe, dataset, data)}.npz", recipe.train.epochs
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
        content = self.path.read_bytes()
        if hashlib.sha256(content[SHA256:]).digest() != content[:SHA256]:
            print(f"{self.path}: damaged, so the training starts afresh", flush=True)
            return []
        with np.load(io.BytesIO(content[SHA256:])) as archive:
            history: History = json.loads(str(archive["history"]))
            model.optimizer.build(model.trainable_variables)
            for index, variable in enumerate(_variables(model)):
                variable.assign(archive[str(index)])
        print(f"going on after epoch {len(history)} of {self.epochs}", flush=True)
        return history

    def save(self, model: keras.Model, history: History) -> None:
        """Replace the checkpoint, all or nothing."""
        buffer = io.BytesIO()
        values = {str(index): variable.numpy() for index, variable in enumerate(_variables(model))}
        np.savez(buffer, allow_pickle=False, history=np.array(json.dumps(history)), **values)
        content = buffer.getvalue()
        with atomic(self.path) as scratch:
            scratch.write_bytes(hashlib.sha256(content).digest() + content)


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
