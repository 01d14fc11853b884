"""One training of one contender of benchmarks.time_to_accuracy, in a process of its own.

Prints one line of JSON for each epoch: seconds of training so far and test accuracy. The clock starts with the
training, so that tracing and compilation count, and stands while the test images are predicted.

Run:    python -m benchmarks.contenders fast 0 0.99
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.table import read_csv

Data = tuple[np.ndarray, np.ndarray]


class Clock:
    """Seconds of training, without those of testing."""

    def __init__(self, target: float) -> None:
        self.target, self.seconds, self.since = target, 0.0, time.perf_counter()

    def start(self) -> None:
        """Begin to count, or go on."""
        self.since = time.perf_counter()

    def epoch(self, accuracy: Callable[[], float]) -> bool:
        """Stop, print the line of an epoch, go on; True when the target is reached."""
        self.seconds += time.perf_counter() - self.since
        found = accuracy()
        print(json.dumps({"seconds": self.seconds, "accuracy": found}), flush=True)
        self.start()
        return found >= self.target


def pair(architecture: str, training: str) -> Callable[[int, Data, Data, Clock], None]:
    """A pair of params.yaml, trained as stages.train does."""

    def train_pair(seed: int, train_data: Data, test_data: Data, clock: Clock) -> None:
        from mnist.core.params import load_params
        from mnist.learning.ensemble import trained

        chosen = load_params().pair(architecture, training)._replace(seed=seed)
        with (
            tempfile.TemporaryDirectory() as folder,
            trained(chosen, train_data, Path(folder), [_callback(test_data, clock)]),
        ):
            pass

    return train_pair


def keras_docs(seed: int, train_data: Data, test_data: Data, clock: Clock) -> None:
    """Keras' "Simple MNIST convnet", 34,826 parameters; without its validation after each epoch, which costs it time.

    Source: https://keras.io/examples/vision/mnist_convnet/
    """
    from mnist.learning.backend import keras

    layers = keras.layers
    keras.utils.set_random_seed(seed)
    x = train_data[0][:54_000, ..., None].astype("float32") / 255  # validation_split=0.1
    y = keras.utils.to_categorical(train_data[1][:54_000], 10)
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x, y, batch_size=128, epochs=15, verbose=0, callbacks=[_callback(test_data, clock)])


def _callback(test_data: Data, clock: Clock) -> Any:
    from mnist.learning.backend import keras
    from mnist.learning.model import predict

    images, labels = test_data

    class Epochs(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            clock.start()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if clock.epoch(lambda: float((predict(self.model, images).argmax(axis=1) == labels).mean())):
                self.model.stop_training = True

    return Epochs()


def pytorch_example(seed: int, train_data: Data, test_data: Data, clock: Clock) -> None:
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
    _fit_torch(net, optimizer, schedule, 14, 64, train_data, test_data, clock)


def train_mnist_fast(seed: int, train_data: Data, test_data: Data, clock: Clock) -> None:
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
    _fit_torch(net, optimizer, schedule, 1, 256, train_data, test_data, clock)


def _fit_torch(
    net: Any,
    optimizer: Any,
    schedule: Any,
    epochs: int,
    batch_size: int,
    train_data: Data,
    test_data: Data,
    clock: Clock,
) -> None:
    import torch

    def tensors(data: Data) -> tuple[Any, Any]:
        images = (torch.tensor(data[0])[:, None].float() / 255 - 0.1307) / 0.3081  # mean and deviation of MNIST
        return images, torch.tensor(data[1]).long()

    (x, y), (x_test, y_test) = tensors(train_data), tensors(test_data)

    def accuracy() -> float:
        net.eval()
        with torch.no_grad():
            found = (net(x_test).argmax(1) == y_test).float().mean().item()
        net.train()
        return float(found)

    clock.start()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
        if clock.epoch(accuracy):
            return


CONTENDERS = {
    "fast": pair("fast", "fast"),
    "brisk": pair("brisk", "brisk"),
    "default": pair("bn_cnn", "one_cycle"),
    "train_mnist_fast": train_mnist_fast,
    "keras_docs": keras_docs,
    "pytorch_example": pytorch_example,
    "kj7kunal": pair("bn_cnn", "kj7kunal"),
    "haque": pair("haque", "haque"),
}


def main() -> None:
    """Train the named contender from the given seed until it reaches the target, or to its end."""
    name, seed, target = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    train_data, test_data = (read_csv(Path(f"data/csv/{part}.csv")) for part in ("train", "test"))
    CONTENDERS[name](seed, train_data, test_data, Clock(target))


if __name__ == "__main__":
    main()
