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
    """Let Keras run on TensorFlow with its own defaults, whatever the environment or the user's keras.json says."""
    own = {"KERAS_BACKEND": "tensorflow", "KERAS_HOME": os.devnull}  # no folder, so it has no keras.json
    before = {name: os.environ.get(name) for name in own}
    os.environ |= own
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value


with quiet(), _on_tensorflow():
    import keras
    import tensorflow as tf

__all__ = ["keras", "keras_session", "make_deterministic", "quiet", "tf"]


@contextmanager
def keras_session() -> Iterator[None]:
    """What a program of this project needs while it runs: TensorFlow's devices, no chatter. Decorates its `main`."""
    if (asked := os.environ.get("KERAS_BACKEND", "tensorflow")) != "tensorflow":
        print(f"KERAS_BACKEND={asked!a:.40}: not followed, since this project runs on TensorFlow", file=sys.stderr)
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)  # Keras warns of each HDF5 file it writes
    with quiet():
        tf.config.list_logical_devices()  # starts the devices, whose drivers chatter
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)


def make_deterministic(seed: int) -> None:
    """Make everything random and every kernel choice follow from `seed`."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
