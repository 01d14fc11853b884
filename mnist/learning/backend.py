"""Keras and TensorFlow, imported without their start-up chatter. Modules import both from here."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import absl.logging


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what Python prints and what native code writes to file descriptor 2; show the latter on an error.

    TensorFlow logs before it has read TF_CPP_MIN_LOG_LEVEL, past Python's sys.stderr.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held, redirect_stdout(io.StringIO()):
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextmanager
def _on_tensorflow() -> Iterator[None]:
    """Let Keras run on TensorFlow, whatever a keras.json in the user's home or the environment says."""
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]
        if before is not None:
            os.environ["KERAS_BACKEND"] = before


with quiet(), _on_tensorflow():
    import keras
    import tensorflow as tf

__all__ = ["keras", "keras_session", "make_deterministic", "quiet", "tf"]


@contextmanager
def keras_session() -> Iterator[None]:
    """What a program of this project needs while it runs: Keras' own defaults, and no chatter. Decorates its `main`.

    A keras.json in the user's home changes nothing within, and everything is as before afterwards.
    """
    before = keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()
    verbosity = absl.logging.get_verbosity()
    _configure("float32", 1e-7, "channels_last")
    absl.logging.set_verbosity(absl.logging.ERROR)  # Keras warns of each HDF5 file it writes
    with quiet():
        tf.config.list_logical_devices()  # starts the devices, whose drivers chatter
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)
        _configure(*before)


def _configure(floatx: str, epsilon: float, data_format: str) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(data_format)


def make_deterministic(seed: int) -> None:
    """Make everything random and every kernel choice follow from `seed`."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
