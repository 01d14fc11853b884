"""A recipe and a table → a trained model."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.errors import UserError, first_line
from mnist.core.sections import Dataset, Recipe, Training
from mnist.learning.architecture import build
from mnist.learning.backend import keras, make_deterministic
from mnist.learning.blurred import blurred
from mnist.learning.checkpoint import Checkpoint, History
from mnist.learning.feed import NO_CLASS, Data, feed, in_order, split
from mnist.learning.initial import given_model, start_from
from mnist.learning.layers import class_of, unknown_argument
from mnist.learning.out_of_class import Examples, out_of_class
from mnist.learning.penned import penned
from mnist.learning.printed import printed
from mnist.learning.randomness import Purpose, derive_seed

BLURRED = 0.75  # blurred copies for each out-of-class picture
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


def make_optimizer(training: Training, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer that a recipe asks for, with the learning rate of a training of `steps` steps.

    Raises:
        TrainingError: Keras does not know it, or does not take its arguments.
    """
    ((kind, arguments),) = training.optimizer.items()
    where = f"params.yaml: train.optimizer.{kind}"
    try:
        made = class_of(keras.optimizers, kind)
    except ValueError as error:
        raise TrainingError(f"{where}: {error}") from None
    try:
        return made(learning_rate=learning_rate(training, steps), **arguments)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{where}: {unknown_argument(made, arguments) or first_line(error)}") from None


def build_model(recipe: Recipe, dataset: Dataset) -> keras.Model:
    """The recipe's network, uncompiled, with its initial weights: an earlier model's, or those that the seed gives."""
    make_deterministic(recipe.seed)
    name, initial, classes = recipe.recipe, recipe.train.initial_weights, len(dataset.classes)
    if initial and not recipe.model:
        return given_model(initial, name, classes, dataset.size)
    model = build(name, recipe.model, classes, dataset.size)
    if initial:
        start_from(initial, model)
    return model


@contextmanager
def training_run(
    recipe: Recipe,
    dataset: Dataset,
    data: Data,
    folder: Path,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    on_epoch: Callable[[History], object] = lambda history: None,
) -> Iterator[tuple[keras.Model, History]]:
    """Train as a recipe says, going on after the last finished epoch where an earlier run was interrupted.

    Save the results within: left without an error, the training is finished, and its checkpoint is removed.

    Args:
        data: images `uint8` `(n, rows, columns)` and labels `uint8` `(n,)`.
        folder: of the checkpoint; every other file in it is deleted.
        callbacks: called after the training's own.
        on_epoch: called with the history so far after each epoch.

    Yields:
        The model, compiled if it was trained, and a row for each epoch: `epoch`, `loss`, `accuracy`, `learning_rate`
        (at its end) and, with a validation part, `val_loss`, `val_accuracy`.

    Raises:
        ArchitectureError, TrainingError: the settings do not fit together, or the loss is no longer finite.
        ModelError, InitialWeightsError: the training's initial weights are missing or do not fit.
    """
    with Checkpoint(folder, recipe, dataset, data) as checkpoint:
        yield _train(recipe, dataset, data, checkpoint, callbacks, on_epoch)


def _train(
    recipe: Recipe,
    dataset: Dataset,
    data: Data,
    checkpoint: Checkpoint,
    callbacks: Iterable[keras.callbacks.Callback],
    on_epoch: Callable[[History], object],
) -> tuple[keras.Model, History]:
    training, classes = recipe.train, len(dataset.classes)
    model = build_model(recipe, dataset)
    if not training.epochs:
        return model, []
    part, held_out = split(*data, training.validation_split)
    if not len(part[0]):
        raise TrainingError(
            f"params.yaml: train.validation_split: expected an image to train on, found none left of {len(data[0])}"
        )
    parts = [part, *_made_up(recipe, dataset, *part)]
    steps = math.ceil(sum(len(x) for x, _ in parts) / training.batch_size)
    optimizer = make_optimizer(training, steps * training.epochs)
    model.compile(optimizer, **_for_fitting(training))
    optimizer.build(model.trainable_variables)  # or Keras would trace the first step twice
    history = checkpoint.load(model)
    if history:
        on_epoch(history)
    model.fit(
        feed(parts, classes, training, recipe.seed, start=len(history)),
        epochs=training.epochs,
        initial_epoch=len(history),
        steps_per_epoch=steps,
        validation_data=in_order(held_out, classes, training) if len(held_out[0]) else None,
        shuffle=False,  # `feed` has done it
        verbose=1 if sys.stdout.isatty() else 2,  # Keras' progress bar, or a line an epoch
        callbacks=[_Epochs(recipe.seed, history, checkpoint, on_epoch), *callbacks],
    )
    model.compile(optimizer, **COMPILED)
    return model, history


def _for_fitting(training: Training) -> dict[str, Any]:
    """Loss and metric for the targets that the feed gives; a metric by name would be made in the first step's trace."""
    if not training.soft_targets:
        return COMPILED | {"metrics": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]}
    return {"loss": "categorical_crossentropy", "metrics": [_Accuracy(name="accuracy")]}


def _made_up(recipe: Recipe, dataset: Dataset, x: np.ndarray, y: np.ndarray) -> Iterator[Data]:
    """The images that the training adds to its own: blurred copies, printed images, and pictures of no class."""
    seed, added = recipe.seed, round(recipe.train.out_of_class * len(x))
    if added:
        rng = np.random.default_rng(derive_seed(seed, 0, Purpose.BLUR))
        chosen = rng.choice(len(x), round(BLURRED * added), replace=False)
        yield blurred(x[chosen], rng), y[chosen]
    if count := round(recipe.train.printed * len(x)):
        rng = np.random.default_rng(derive_seed(seed, 0, Purpose.PRINT))
        yield printed(count, dataset.classes, rng, dataset.size)
    if count := round(recipe.train.penned * len(x)):
        rng = np.random.default_rng(derive_seed(seed, 0, Purpose.PEN))
        yield penned(count, dataset.classes, rng, dataset.size)
    if added:
        examples = Examples(x, y, dataset.classes)
        yield (
            out_of_class(added, examples, derive_seed(seed, 0, Purpose.OUT_OF_CLASS)),
            np.full(added, NO_CLASS),
        )


class _Accuracy(keras.metrics.CategoricalAccuracy):
    """The accuracy on images of a class; a picture of no class has no right answer."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        of_a_class = keras.ops.max(y_true, axis=-1) > keras.ops.min(y_true, axis=-1)
        return super().update_state(y_true, y_pred, keras.ops.cast(of_a_class, self.dtype))


class _Epochs(keras.callbacks.Callback):
    """Make the layers' random numbers depend on (seed, epoch) alone; record and checkpoint each finished epoch."""

    def __init__(
        self, seed: int, history: History, checkpoint: Checkpoint, on_epoch: Callable[[History], object]
    ) -> None:
        super().__init__()
        self.seed, self.rows, self.checkpoint, self.record = seed, history, checkpoint, on_epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        states = [variable for variable in self.model.variables if variable.name == "seed_generator_state"]
        for index, state in enumerate(states):
            state.assign(derive_seed(self.seed, epoch, Purpose.LAYER, index))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite(logs["loss"]):
            raise TrainingError(
                f"params.yaml: train.learning_rate: expected a finite loss, found {logs['loss']} in epoch {epoch + 1}"
            )
        rate = float(self.model.optimizer.learning_rate)
        figures = {key: float(value) for key, value in logs.items()}
        self.rows.append({"epoch": epoch + 1, **figures, "learning_rate": rate})
        self.checkpoint.save(self.model, self.rows)
        self.record(self.rows)
