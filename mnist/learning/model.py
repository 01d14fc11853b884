"""A trained model: loading it, asking it."""

from pathlib import Path

import h5py
import numpy as np

from mnist.core.errors import UserError, first_line
from mnist.learning.backend import keras, tf
from mnist.learning.feed import BATCH, without_autotune
from mnist.learning.keras2 import is_keras_2, load_keras_2
from mnist_reader.core.pixels import scale


class ModelError(UserError):
    """The file holds no model that can be loaded."""


def load_model(path: Path, compile: bool = True) -> keras.Model:
    """Load a Keras model: architecture and weights and, with `compile`, compile settings and optimizer state.

    A file that Keras 1 or 2 wrote comes uncompiled always, as Keras 3 does not know the optimizers of that time.

    Raises:
        ModelError: no such file, or no Keras model.
    """
    if not path.is_file():
        raise ModelError(
            f"{path}: expected the trained model, found no such file; run `dvc repro`, or `dvc pull --remote released "
            "train`"
        )
    try:
        if is_keras_2(path):
            return load_keras_2(path)
        model = keras.models.load_model(path, compile=compile)
        if not isinstance(model, keras.Model):
            raise TypeError(f"found a {type(model).__name__}")
        if compile and path.suffix == ".h5":
            _restore_optimizer(model, path)
    except Exception as error:  # Keras, zipfile and HDF5 raise whatever they stumble over
        raise ModelError(f"{path}: expected a Keras model: {first_line(error)}") from None
    return model


def hdf5(model: keras.Model) -> bytes:
    """The bytes that `model.save` writes to an `.h5` file, made in memory: on a full disk HDF5 ends the process."""
    from keras.src.legacy.saving.legacy_h5_format import save_model_to_hdf5  # what `model.save` calls

    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        save_model_to_hdf5(model, file)
        file.flush()
        return file.id.get_file_image()


def _restore_optimizer(model: keras.Model, path: Path) -> None:
    """Give the optimizer its state from an HDF5 file, of which Keras 3.15 loads no more than the step count."""
    with h5py.File(path) as file:
        if "optimizer_weights" not in file:
            return
        group = file["optimizer_weights"]
        values = [group[name][()] for name in group.attrs["weight_names"]]
    model.compile_from_config(model.get_compile_config())
    model.optimizer.build(model.trainable_variables)
    if len(values) != len(model.optimizer.variables):
        raise ValueError(f"expected {len(model.optimizer.variables)} values of its optimizer, found {len(values)}")
    for variable, value in zip(model.optimizer.variables, values, strict=True):
        variable.assign(value)


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Probabilities, float32 `(n, classes)`, of `uint8` images `(n, rows, columns)`."""
    inputs = tf.data.Dataset.from_tensor_slices(scale(images.astype(np.float32)))
    return model.predict(without_autotune(inputs.batch(BATCH)), verbose=0)
