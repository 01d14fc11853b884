"""Learning-rate schedule and fit."""

import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.errors import UserError, first_line
from mnist.core.sections import Pair, Training
from mnist.learning.architecture import build
from mnist.learning.backend import keras, make_deterministic
from mnist.learning.blurred import blurred
from mnist.learning.checkpoint import Checkpoint, History
from mnist.learning.distribution import process, require_same
from mnist.learning.feed import NO_CLASS, Data, feed, in_order, shared, soft, split
from mnist.learning.initial import start_from
from mnist.learning.out_of_class import Examples, negatives
from mnist.learning.printed import printed
from mnist.learning.randomness import Purpose, mix

COMPILED: dict[str, Any] = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}  # for those who load it
COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]  # of a history, in order


class TrainingError(UserError):
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
    average = {"use_ema": True, "ema_momentum": training.weight_average} if training.weight_average else {}
    try:
        return getattr(keras.optimizers, kind)(learning_rate=learning_rate(training, steps), **average, **arguments)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"params.yaml: trainings.{name}.optimizer.{kind}: {first_line(error)}") from None


def train(
    pair: Pair, data: Data, checkpoint: Checkpoint, callbacks: Iterable[keras.callbacks.Callback] = ()
) -> tuple[keras.Model, History]:
    """Build the pair's architecture and train one network as its training says.

    Args:
        data: images `uint8` `(n, rows, columns)` and labels `uint8` `(n,)`.
        checkpoint: where an interrupted training of this pair on these data goes on, to end in the same bytes.
        callbacks: called after the training's own.

    Returns:
        The compiled model, and a row for each epoch: `epoch`, `loss`, `accuracy`, `learning_rate` (at its end) and,
        with a validation part, `val_loss`, `val_accuracy`.

    Raises:
        ArchitectureError, TrainingError: the settings do not fit together, or the loss is no longer finite.
        ModelError, InitialWeightsError: the training's initial weights are missing or do not fit.
    """
    settings, classes = pair.settings, len(pair.classes)
    make_deterministic(pair.seed)
    model = build(pair.architecture, pair.layers, classes, pair.shape)
    if settings.initial_weights:
        start_from(Path(settings.initial_weights), model)
    part, held_out = split(*data, settings.validation_split)
    if not len(part[0]):
        raise TrainingError(
            f"params.yaml: trainings.{pair.training}.validation_split: leaves no image of {len(data[0])} to train on"
        )
    parts = [part, *_made_up(pair, *part)]
    if settings.batch_size % (count := process().processes):
        raise TrainingError(
            f"params.yaml: trainings.{pair.training}.batch_size: expected a multiple of the {count} processes, "
            f"found {settings.batch_size}"
        )
    steps = math.ceil(shared(sum(len(x) for x, _ in parts)) / settings.batch_size)
    optimizer = make_optimizer(pair.training, settings, steps * settings.epochs)
    loss = "categorical_crossentropy" if soft(settings) else "sparse_categorical_crossentropy"
    model.compile(optimizer, loss=loss, metrics=[_Accuracy(name="accuracy") if settings.negatives else "accuracy"])
    history = checkpoint.load(model)
    require_same(f"{checkpoint.path.parent}: epochs done", len(history))
    model.fit(
        feed(parts, classes, settings, pair.seed, start=len(history)),
        epochs=settings.epochs,
        initial_epoch=len(history),
        steps_per_epoch=steps,
        validation_data=in_order(held_out, classes, settings) if len(held_out[0]) else None,
        shuffle=False,  # `feed` has done it
        verbose=1 if sys.stdout.isatty() else 2,  # Keras' progress bar, or a line an epoch
        callbacks=[*_averaging(settings), _Epochs(pair, history, checkpoint), *callbacks],
    )
    model.compile(optimizer, **COMPILED)
    return model, history


def _averaging(training: Training) -> list[keras.callbacks.Callback]:
    """What judges the averaged weights after each epoch, as the model has them at the end."""
    return [keras.callbacks.SwapEMAWeights()] if training.weight_average else []


def _made_up(pair: Pair, x: np.ndarray, y: np.ndarray) -> Iterator[Data]:
    """The images that the training adds to its own: blurred copies, printed images, and pictures of no class."""
    settings = pair.settings
    if count := round(settings.blurred * len(x)):
        rng = np.random.default_rng(mix(pair.seed, 0, Purpose.BLUR))
        chosen = rng.choice(len(x), count, replace=False)
        yield blurred(x[chosen], rng), y[chosen]
    if count := round(settings.printed * len(x)):
        rng = np.random.default_rng(mix(pair.seed, 0, Purpose.PRINT))
        yield printed(count, pair.classes, rng, pair.shape)
    if count := round(settings.negatives * len(x)):
        made = negatives(count, Examples(x, y, pair.classes), mix(pair.seed, 0, Purpose.NEGATIVE))
        yield made, np.full(count, NO_CLASS)


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
