"""The trainings that benchmarks.time_to_accuracy compares: this project's recipes, and published ones as published."""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.params import load_dataset
from mnist.core.paths import TEST_CSV, TRAIN_CSV
from mnist.core.scoring import accuracy
from mnist.core.table import read_csv

Data = tuple[np.ndarray, np.ndarray]
Epochs = list[tuple[float, float]]  # seconds so far and test accuracy after each epoch
Train = Callable[[int, Data, "Clock"], None]  # seed, training images and labels


class Clock:
    """Seconds of training, which count tracing and compilation but not the tests after each epoch."""

    def __init__(self, test: Data, target: float) -> None:
        self.test, self.target, self.seconds, self.since = test, target, 0.0, 0.0
        self.epochs: Epochs = []

    def start(self) -> None:
        """Begin to count, or go on."""
        self.since = time.perf_counter()

    def epoch(self, predict: Callable[[np.ndarray], np.ndarray]) -> bool:
        """Stop, test, note an epoch, go on; True when the target is reached."""
        self.seconds += time.perf_counter() - self.since
        images, labels = self.test
        self.epochs.append((self.seconds, accuracy(predict(images), labels)))
        self.start()
        return self.epochs[-1][1] >= self.target


def recipe(name: str, seed: int, data: Data, clock: Clock) -> None:
    """A recipe of this project, trained as stages.train does."""
    from mnist.learning.training import training_run
    from studies.trial import recipe_named

    chosen, dataset = recipe_named(name, seed), load_dataset("mnist")
    with tempfile.TemporaryDirectory() as folder, training_run(chosen, dataset, data, Path(folder), [_callback(clock)]):
        pass


def keras_docs(seed: int, data: Data, clock: Clock) -> None:
    """Keras' "Simple MNIST convnet", 34,826 parameters; without its validation after each epoch, which costs it time.

    Source: https://keras.io/examples/vision/mnist_convnet/
    """
    from mnist.learning.backend import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    x = data[0][:54_000, ..., None].astype("float32") / 255  # validation_split=0.1
    y = keras.utils.to_categorical(data[1][:54_000], 10)
    blocks = [
        (keras.Input(shape=(28, 28, 1)), layers.Conv2D(32, kernel_size=(3, 3), activation="relu")),
        (layers.MaxPooling2D(pool_size=(2, 2)), layers.Conv2D(64, kernel_size=(3, 3), activation="relu")),
        (layers.MaxPooling2D(pool_size=(2, 2)), layers.Flatten()),
        (layers.Dropout(0.5), layers.Dense(10, activation="softmax")),
    ]
    model = keras.Sequential([layer for block in blocks for layer in block])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=15, verbose=0, callbacks=[_callback(clock)])


def _callback(clock: Clock) -> Any:
    from mnist.learning.backend import keras
    from mnist.learning.model import predict

    class Epochs(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            clock.start()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = clock.epoch(lambda images: predict(self.model, images))

    return Epochs()


def pytorch_example(seed: int, data: Data, clock: Clock) -> None:
    """PyTorch's MNIST example, 1,199,882 parameters; fed from memory, which is faster than its loader.

    Source: https://github.com/pytorch/examples/blob/main/mnist/main.py
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    net = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)),
        *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
    )
    optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=938, gamma=0.7)  # each epoch
    _fit_torch(net, optimizer, schedule, 14, 64, data, clock)


def train_mnist_fast(seed: int, data: Data, clock: Clock) -> None:
    """The fastest public recipe, 215,194 parameters: one epoch.

    Source: https://github.com/tuomaso/train_mnist_fast
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    net = nn.Sequential(
        *(nn.Conv2d(1, 24, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(24, 32, 3), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(800, 256), nn.ReLU(), nn.Linear(256, 10)),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, betas=(0.7, 0.9))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=235, cycle_momentum=False)
    _fit_torch(net, optimizer, schedule, 1, 256, data, clock)


def _fit_torch(net: Any, optimizer: Any, schedule: Any, epochs: int, batch_size: int, data: Data, clock: Clock) -> None:
    import torch

    def inputs(images: np.ndarray) -> Any:
        return (torch.tensor(images)[:, None].float() / 255 - 0.1307) / 0.3081  # mean and deviation of MNIST

    def predict(images: np.ndarray) -> np.ndarray:
        net.eval()
        with torch.no_grad():
            logits: np.ndarray = net(inputs(images)).numpy()
        net.train()
        return logits

    x, y = inputs(data[0]), torch.tensor(data[1]).long()
    clock.start()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        if clock.epoch(predict):
            return


CONTENDERS: dict[str, Train] = {
    name: partial(recipe, name) for name in ("fast", "brisk", "default", "kj7kunal", "haque")
} | {function.__name__: function for function in (train_mnist_fast, keras_docs, pytorch_example)}


def train(name: str, seed: int, target: float) -> Epochs:
    """Train a contender until it reaches the target, or to its end."""
    clock = Clock(read_csv(TEST_CSV), target)
    with contextlib.redirect_stdout(sys.stderr):  # Keras' lines
        CONTENDERS[name](seed, read_csv(TRAIN_CSV), clock)
    return clock.epochs
