"""Keras and TensorFlow, imported without their start-up chatter. Modules import both from here."""

import functools
import gc
import io
import os
import sys
import tempfile
import typing
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import absl.logging

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
def hidden(*names: str) -> Iterator[None]:
    """Let these modules look as if they were not installed, unless they are loaded already."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: not installed
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def fast_import() -> Iterator[None]:
    """Import with the garbage collector off, and compile each forward reference of a type hint once.

    TensorFlow's type hints refer 18,000 times to 113 names, and typing would compile each: a tenth of the import.
    """
    typing.compile = functools.cache(compile)  # type: ignore[attr-defined]
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor need this process ever go through what was imported
        if collects:
            gc.enable()
        del typing.compile  # type: ignore[attr-defined]


# Keras imports these where it finds them, for wrappers and drawings that nothing here uses: a third of its import time.
with quiet(), fast_import(), hidden("matplotlib", "matplotlib.pyplot", "pandas", "scipy", "sklearn"):
    import keras
    import tensorflow as tf

    tf.config.list_logical_devices()  # starts the devices, whose drivers chatter too

# A keras.json in the user's home changes nothing here.
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")

absl.logging.set_verbosity(absl.logging.ERROR)  # Keras warns of each HDF5 file it writes

__all__ = ["keras", "make_deterministic", "quiet", "tf", "untuned"]


def make_deterministic(seed: int) -> None:
    """Make everything random and every kernel choice follow from `seed`."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def untuned(feed: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements; TensorFlow 2.21 often takes a second to close a feed that tunes itself while it runs."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return feed.with_options(options)
