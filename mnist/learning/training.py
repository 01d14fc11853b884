"""Learning-rate schedule and fit."""

import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from mnist.errors import PipelineError, first_line
from mnist.learning.architecture import build
from mnist.learning.backend import keras, make_deterministic
from mnist.learning.blurred import blurred
from mnist.learning.checkpoint import Checkpoint, History
from mnist.learning.feed import Data, feed, in_order, smooth, split
from mnist.learning.negatives import Examples, negatives
from mnist.learning.printed import printed
from mnist.learning.randomness import Purpose, mix
from mnist.sections import Pair, Training

COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]  # of a history, in order


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
    """The optimizer that `trainings.<name>` asks for, with the learning rate of a training of `steps` steps.

    Raises:
        TrainingError: Keras does not take its arguments.
    """
    ((kind, arguments),) = training.optimizer.items()
    try:
        return getattr(keras.optimizers, kind)(learning_rate=learning_rate(training, steps), **arguments)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"params.yaml: trainings.{name}.optimizer.{kind}: {first_line(error)}") from None


def train(
    pair: Pair, data: Data, checkpoint: Checkpoint, callbacks: Iterable[keras.callbacks.Callback] = ()
) -> tuple[keras.Model, History]:
    """Build the pair's architecture and train it as its training says.

    Args:
        data: images `uint8` `(n, 28, 28)` and labels `uint8` `(n,)`.
        checkpoint: where an interrupted training of this pair on these data goes on, to end in the same bytes.
        callbacks: called after the training's own.

    Returns:
        The compiled model, and a row for each epoch: `epoch`, `loss`, `accuracy`, `learning_rate` (at its end) and,
        with a validation part, `val_loss`, `val_accuracy`.

    Raises:
        ArchitectureError, TrainingError: the settings do not fit together, or the loss is no longer finite.
    """
    settings = pair.settings
    make_deterministic(pair.seed)
    model = build(pair.architecture, pair.layers, len(pair.classes))
    loss, targets = _loss_and_targets(settings, data[1], len(pair.classes))
    (x, y), (x_val, y_val) = split(data[0], targets, settings.validation_split)
    if not len(x):
        raise TrainingError(
            f"params.yaml: trainings.{pair.training}.validation_split: leaves no image of {len(data[0])} to train on"
        )
    x, y = _extended(pair, (x, y), data[1][: len(x)])
    steps = math.ceil(len(x) / settings.batch_size)
    optimizer = make_optimizer(pair.training, settings, steps * settings.epochs)
    model.compile(optimizer, loss=loss, metrics=[_Accuracy(name="accuracy") if settings.negatives else "accuracy"])
    history = checkpoint.load(model)
    model.fit(
        feed(x, smooth(y, settings.label_smoothing), settings, pair.seed, start=len(history)),
        epochs=settings.epochs,
        initial_epoch=len(history),
        steps_per_epoch=steps,
        validation_data=in_order(x_val, y_val) if len(x_val) else None,
        shuffle=False,  # `feed` has done it
        verbose=1 if sys.stdout.isatty() else 2,  # Keras' progress bar, or a line an epoch
        callbacks=[_Epochs(pair, history, checkpoint), *callbacks],
    )
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])  # for those who load it
    return model, history


def _loss_and_targets(settings: Training, labels: np.ndarray, classes: int) -> tuple[str, np.ndarray]:
    """The name of Keras' loss, and the labels in the form that it takes.

    Smoothing and negatives need a probability for each class. `train` smooths those of the training part alone, so
    that `val_loss` compares across trainings.
    """
    if not (settings.label_smoothing or settings.negatives):
        return "sparse_categorical_crossentropy", labels
    return "categorical_crossentropy", keras.utils.to_categorical(labels, classes).astype(np.float32)


def _extended(pair: Pair, part: Data, labels: np.ndarray) -> Data:
    """The training part with the made-up images that the training asks for.

    Args:
        labels: of the training part, `(n,)`, while those in `part` may be probabilities.
    """
    parts = [part, *_made_up(pair, part, labels)]
    images, targets = zip(*parts, strict=True)
    return (np.concatenate(images), np.concatenate(targets)) if len(parts) > 1 else part


def _made_up(pair: Pair, part: Data, labels: np.ndarray) -> Iterator[Data]:
    """Blurred copies, printed images, and pictures of no class, for which all classes are alike."""
    (x, y), settings = part, pair.settings
    if count := round(settings.blurred * len(x)):
        rng = np.random.default_rng(mix(pair.seed, 0, Purpose.BLUR))
        chosen = rng.choice(len(x), count, replace=False)
        yield blurred(x[chosen], rng), y[chosen]
    if count := round(settings.printed * len(x)):
        images, names = printed(count, pair.classes, np.random.default_rng(mix(pair.seed, 0, Purpose.PRINT)))
        yield images, names.astype(y.dtype) if y.ndim == 1 else np.eye(y.shape[1], dtype=y.dtype)[names]
    if count := round(settings.negatives * len(x)):
        made = negatives(count, Examples(x, labels, pair.classes), mix(pair.seed, 0, Purpose.NEGATIVE))
        yield made, np.full((count, y.shape[1]), 1 / y.shape[1], y.dtype)


class _Accuracy(keras.metrics.CategoricalAccuracy):
    """The accuracy on images of a class; a picture of no class has no right answer."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        of_a_class = keras.ops.max(y_true, axis=-1) > keras.ops.min(y_true, axis=-1)
        return super().update_state(y_true, y_pred, keras.ops.cast(of_a_class, self.dtype))


class _Epochs(keras.callbacks.Callback):
    """Make the layers' random numbers depend on (seed, epoch) alone; record and checkpoint each finished epoch."""

    def __init__(self, pair: Pair, history: History, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.pair, self.rows, self.checkpoint = pair, history, checkpoint

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for index, state in enumerate(states):
            state.assign(mix(self.pair.seed, epoch, Purpose.LAYER, index))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"params.yaml: trainings.{self.pair.training}.learning_rate: expected a finite loss, "
                f"found {logs['loss']} in epoch {epoch + 1}"
            )
        rate = float(self.model.optimizer.learning_rate)
        figures = {key: float(value) for key, value in logs.items()}
        self.rows.append({"epoch": epoch + 1, **figures, "learning_rate": rate})
        self.checkpoint.save(self.model, self.rows)
