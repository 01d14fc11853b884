"""What Keras 1 and 2 wrote: architectures, and whole models in HDF5."""

from pathlib import Path
from typing import Any

import h5py

from mnist.learning.backend import keras


def is_keras_2(path: Path) -> bool:
    """Whether an HDF5 file says that Keras 1 or 2 wrote it."""
    with h5py.File(path) as file:
        version = file.attrs.get("keras_version", "3")
    return is_version_1_or_2(version.decode() if isinstance(version, bytes) else version)


def is_version_1_or_2(version: Any) -> bool:
    """Whether a version of Keras, as a file names it, is before 3."""
    return str(version).startswith(("1.", "2."))


def from_keras_2(config: dict[str, Any]) -> keras.Model:
    """An uncompiled model from the configuration that Keras 2 wrote, a Sequential or a functional one."""
    from keras.src.legacy.saving.saving_utils import model_from_config  # what keras.models.load_model uses for HDF5

    if config["class_name"] == "Sequential":  # Keras 3 wants the input as a layer of its own
        layers = config["config"]["layers"] if isinstance(config["config"], dict) else config["config"]
        shape = layers[0]["config"].pop("batch_input_shape", None)
        if shape and layers[0]["class_name"] != "InputLayer":
            layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shape}})
    return model_from_config(config)
