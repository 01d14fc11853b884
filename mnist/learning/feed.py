"""Images and labels → batches for Keras."""

import numpy as np

from mnist.learning.augmentation import distort
from mnist.learning.backend import tf
from mnist.learning.randomness import Purpose, mix
from mnist.pixels import scale
from mnist.sections import Augmentation, Training

BATCH = 500  # images, where nothing is learnt from them; throughput on a CPU is flat from here on
Data = tuple[np.ndarray, np.ndarray]  # images uint8 (n, 28, 28) and labels (n,) or, as probabilities, (n, classes)


def split(images: np.ndarray, labels: np.ndarray, fraction: float) -> tuple[Data, Data]:
    """(training part, validation part): the last `fraction` of the rows is held out, as by Keras' validation_split."""
    kept = int(len(images) * (1 - fraction))
    return (images[:kept], labels[:kept]), (images[kept:], labels[kept:])


def smooth(targets: np.ndarray, smoothing: float) -> np.ndarray:
    """One-hot `targets` `(n, classes)` with the fraction `smoothing` spread evenly over all classes; 0 keeps them.

    Source: Szegedy et al., arXiv 1512.00567, section 7.
    """
    return targets * (1 - smoothing) + smoothing / targets.shape[-1] if smoothing else targets


def feed(images: np.ndarray, labels: np.ndarray, training: Training, seed: int, start: int) -> tf.data.Dataset:
    """Batches of the epochs from `start` on; batch `i` of epoch `e` depends on `seed`, `e` and `i` alone.

    Args:
        images: `uint8` `(n, 28, 28)`, kept as bytes; only a batch at a time becomes float32.
        labels: `(n,)`, or `(n, classes)` where they are probabilities.
    """
    x, y = tf.constant(images), tf.constant(labels)
    seeds = [[mix(seed, epoch, use) for use in (Purpose.ORDER, Purpose.DISTORTION)] for epoch in range(training.epochs)]

    def epoch_batches(seeds: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(len(images)), seeds[0])
        batches = tf.data.Dataset.from_tensor_slices(order).batch(training.batch_size).enumerate()
        return batches.map(lambda i, rows: (rows, tf.random.experimental.stateless_fold_in(seeds[1], i)))

    def batch(rows: tf.Tensor, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = scale(tf.cast(tf.gather(x, rows), tf.float32))
        if training.augmentation != Augmentation():
            inputs = distort(inputs, training.augmentation, draw)
        return inputs, tf.gather(y, rows)

    epochs = tf.data.Dataset.from_tensor_slices(np.array(seeds, np.int64)).skip(start)
    return untuned(epochs.flat_map(epoch_batches).map(batch, num_parallel_calls=2).prefetch(2))


def in_order(images: np.ndarray, labels: np.ndarray) -> tf.data.Dataset:
    """Batches of `uint8` images `(n, 28, 28)` with their labels, as they come."""
    pairs = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH)
    return untuned(pairs.map(lambda x, y: (scale(tf.cast(x, tf.float32)), y)))


def untuned(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements with autotuning off: closing an autotuned feed often takes a second (TensorFlow 2.21)."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
