"""Learning-rate schedule, feed and fit."""

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mnist.errors import PipelineError
from mnist.learning.architecture import build
from mnist.learning.augmentation import distort
from mnist.learning.backend import keras, make_deterministic, tf, untuned
from mnist.learning.checkpoint import Checkpoint, key
from mnist.learning.normalization import fused
from mnist.params import Augmentation, Params, Training
from mnist.pixels import scale

HISTORY = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]  # columns, in order


class TrainingError(PipelineError):
    """A training that Keras cannot set up."""


def learning_rate(training: Training, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate of a training of `steps` steps: a constant, or one cycle.

    One cycle rises linearly from 0 to the peak, then anneals to 0 along a half cosine
    (Smith and Topin, arXiv 1708.07120; the cosine as in fastai and PyTorch's OneCycleLR).
    """
    if training.schedule == "constant":
        return training.learning_rate
    rise = min(round(training.warm_up * steps), steps - 1)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=training.learning_rate, warmup_steps=rise
    )


def make_optimizer(name: str, training: Training, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer that `trainings.<name>` asks for, with its learning rate."""
    ((kind, arguments),) = training.optimizer.items()
    try:
        return getattr(keras.optimizers, kind)(learning_rate=learning_rate(training, steps), **arguments)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"params.yaml: trainings.{name}.optimizer.{kind}: {str(error).splitlines()[0]}") from None


def feed(images: np.ndarray, labels: np.ndarray, training: Training, seed: int, start: int) -> tf.data.Dataset:
    """Batches of the epochs from `start` on; batch `i` of epoch `e` depends on `seed`, `e` and `i` alone.

    Args:
        images: `uint8` `(n, 28, 28)`, kept as bytes; only a batch at a time becomes float32.
        labels: `(n,)`, or `(n, classes)` where they are probabilities.
    """
    x, y = tf.constant(images), tf.constant(labels)

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(images)), tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        batches = tf.data.Dataset.from_tensor_slices(order).batch(training.batch_size)
        return batches.enumerate().map(lambda i, rows: (rows, tf.stack([seed + epoch * 2**32, i])))

    def batch(rows: tf.Tensor, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = scale(tf.cast(tf.gather(x, rows), tf.float32))
        if training.augmentation != Augmentation():
            inputs = distort(inputs, training.augmentation, draw)
        return inputs, tf.gather(y, rows)

    stream = tf.data.Dataset.range(start, training.epochs).flat_map(epoch_batches)
    return untuned(stream.map(batch, num_parallel_calls=2).prefetch(2))


def held_out(images: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Batches of 500 `uint8` images `(n, 28, 28)` with their labels, in order."""
    pairs = tf.data.Dataset.from_tensor_slices((images, labels)).batch(500)
    return untuned(pairs.map(lambda x, y: (scale(tf.cast(x, tf.float32)), y)))


def split(
    images: np.ndarray, labels: np.ndarray, fraction: float
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(training part, validation part): the last `fraction` of the rows is held out, as by Keras' validation_split."""
    kept = int(len(images) * (1 - fraction))
    return (images[:kept], labels[:kept]), (images[kept:], labels[kept:])


def smooth(targets: np.ndarray, smoothing: float) -> np.ndarray:
    """One-hot `targets` `(n, classes)` with the fraction `smoothing` spread evenly over all classes; 0 keeps them.

    Source: Szegedy et al., arXiv 1512.00567, section 7.
    """
    return targets * (1 - smoothing) + smoothing / targets.shape[-1] if smoothing else targets


class Trained(NamedTuple):
    """What `train` returns."""

    model: keras.Model
    history: list[dict[str, float]]  # a row for each epoch, keys as in HISTORY
    checkpoint: Checkpoint  # call `finish` once the results are saved


def train(
    params: Params,
    architecture: str,
    training: str,
    images: np.ndarray,
    labels: np.ndarray,
    folder: Path,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> Trained:
    """Build `architectures.<architecture>` and train it as `trainings.<training>` says, from `params.seed`.

    Goes on from the checkpoint in `folder` where an earlier run was interrupted, and ends in the same bytes.

    Args:
        images: `uint8` `(n, 28, 28)`.
        labels: `uint8` `(n,)`.
        folder: where this training, and no other, keeps its checkpoint.
        callbacks: called after the training's own.

    Raises:
        ArchitectureError, TrainingError: the settings do not fit together, or the loss is no longer finite.
    """
    layers, settings = params.architectures[architecture], params.trainings[training]
    make_deterministic(params.seed)
    model = build(architecture, layers, len(params.chosen_dataset.classes))
    checkpoint = Checkpoint(folder, key(layers, settings, params.seed, images, labels))
    history = fit(model, training, settings, params.seed, images, labels, checkpoint, callbacks)
    return Trained(model, history, checkpoint)


def fit(
    model: keras.Model,
    name: str,
    training: Training,
    seed: int,
    images: np.ndarray,
    labels: np.ndarray,
    checkpoint: Checkpoint,
    callbacks: Iterable[keras.callbacks.Callback] = (),
) -> list[dict[str, float]]:
    """Compile and train `model` in place, going on from `checkpoint` where an earlier run was interrupted.

    Args:
        name: the training's key in params.yaml, for error messages.
        images: `uint8` `(n, 28, 28)`.
        labels: `uint8` `(n,)`.
        callbacks: called after the training's own.

    Returns:
        A row for each epoch: epoch, loss, accuracy, learning_rate and, with a validation part, val_loss, val_accuracy.

    Raises:
        TrainingError: the settings do not fit together, or the loss is no longer finite.
    """
    loss, targets = "sparse_categorical_crossentropy", labels
    if training.label_smoothing:  # of the training part alone, so that val_loss compares across trainings
        loss = "categorical_crossentropy"
        targets = keras.utils.to_categorical(labels, model.output_shape[-1]).astype(np.float32)
    (x, y), (x_val, y_val) = split(images, targets, training.validation_split)
    if not len(x):
        raise TrainingError(
            f"params.yaml: trainings.{name}.validation_split: leaves no image of {len(images)} to train on"
        )
    steps = math.ceil(len(x) / training.batch_size)
    optimizer = make_optimizer(name, training, steps * training.epochs)
    model.compile(optimizer, loss=loss, metrics=["accuracy"])
    history = checkpoint.load(model, training.epochs)
    with fused():
        model.fit(
            feed(x, smooth(y, training.label_smoothing), training, seed, start=len(history)),
            epochs=training.epochs,
            initial_epoch=len(history),
            steps_per_epoch=steps,
            validation_data=held_out(x_val, y_val) if len(x_val) else None,
            shuffle=False,  # `feed` has done it
            verbose=1 if sys.stdout.isatty() else 2,  # Keras' progress bar, or a line an epoch
            callbacks=[_Epochs(name, seed, history, checkpoint), *callbacks],
        )
    return history


class _Epochs(keras.callbacks.Callback):
    """Make the layers' random numbers depend on (seed, epoch) alone; record and checkpoint each finished epoch."""

    def __init__(self, name: str, seed: int, history: list[dict[str, float]], checkpoint: Checkpoint) -> None:
        super().__init__()
        self.name, self.seed, self.rows, self.checkpoint = name, seed, history, checkpoint

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for index, state in enumerate(states):
            state.assign(np.random.SeedSequence([self.seed, epoch, index]).generate_state(2))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"params.yaml: trainings.{self.name}.learning_rate: expected a finite loss, "
                f"found {logs['loss']} in epoch {epoch + 1}"
            )
        rate = float(self.model.optimizer.learning_rate)
        self.rows.append(
            {"epoch": epoch + 1, **{key: float(value) for key, value in logs.items()}, "learning_rate": rate}
        )
        self.checkpoint.save(self.model, self.rows)
