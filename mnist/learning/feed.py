"""Images and labels → batches for Keras."""

import numpy as np

from mnist.core.sections import Augmentation, Training
from mnist.learning.augmentation import augment
from mnist.learning.backend import tf
from mnist.learning.randomness import Purpose, derive_seed
from mnist_reader.core.pixels import scale

BATCH = 500  # images, where nothing is learnt from them; throughput on a CPU is flat from here on
NO_CLASS = -1  # the label of a picture of no class
Data = tuple[np.ndarray, np.ndarray]  # images uint8 (n, rows, columns) and integer labels (n,)


def split(images: np.ndarray, labels: np.ndarray, fraction: float) -> tuple[Data, Data]:
    """(training part, validation part): the last `fraction` of the rows is held out, as by Keras' validation_split."""
    kept = int(len(images) * (1 - fraction))
    return (images[:kept], labels[:kept]), (images[kept:], labels[kept:])


def targets(labels: tf.Tensor, classes: int, training: Training, smoothing: float) -> tf.Tensor:
    """What the training's loss compares with: the labels `(n,)` or, where its targets are soft, float32 `(n, classes)`.

    Args:
        smoothing: the fraction that is spread evenly over all classes.
            Source: Szegedy et al., arXiv 1512.00567, section 7.

    Returns:
        Where soft: for NO_CLASS all classes alike, else 1 for the class.
    """
    if not training.soft_targets:
        return labels
    hard = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.where(labels[:, None] == NO_CLASS, 1 / classes, hard)


def feed(parts: list[Data], classes: int, training: Training, seed: int, start: int) -> tf.data.Dataset:
    """Batches of the epochs from `start` on; batch `i` of epoch `e` depends on `seed`, `e` and `i` alone.

    Args:
        parts: what an epoch shuffles. The images stay where they are, as bytes; only a batch at a time is copied.
        classes: how many there are.
    """
    count = sum(len(x) for x, _ in parts)
    plain = max(training.epochs - training.plain_epochs, start)  # the first epoch that changes no image
    uses = Purpose.ORDER, Purpose.DISTORTION
    seeds = np.array([[derive_seed(seed, epoch, use) for use in uses] for epoch in range(training.epochs)], np.int64)

    def epoch_batches(seeds: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seeds[0])
        rows = tf.data.Dataset.from_tensor_slices(order).batch(training.batch_size)
        return rows.enumerate().map(lambda i, rows: (rows, tf.random.experimental.stateless_fold_in(seeds[1], i)))

    def batches(seeds: np.ndarray, augmentation: Augmentation) -> tf.data.Dataset:
        def batch(rows: tf.Tensor, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            inputs, labels = _gathered(parts, rows)
            return augment(inputs, augmentation, draw), targets(labels, classes, training, training.label_smoothing)

        return tf.data.Dataset.from_tensor_slices(seeds).flat_map(epoch_batches).map(batch, num_parallel_calls=2)

    made = batches(seeds[start:plain], training.augmentation)
    if training.plain_epochs:
        made = made.concatenate(batches(seeds[plain:], Augmentation()))
    return without_autotune(made.prefetch(2))


def in_order(data: Data, classes: int, training: Training) -> tf.data.Dataset:
    """Batches of the images as they come, with targets for the loss that `training` has, but not smoothed."""

    def batch(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs, labels = _gathered([data], rows)
        return inputs, targets(labels, classes, training, smoothing=0)

    rows = tf.data.Dataset.range(len(data[0]), output_type=tf.int32)
    return without_autotune(rows.batch(BATCH).map(batch))


def _gathered(parts: list[Data], rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The model's input and the labels `int32` `(b,)` of some rows, counted through all parts."""

    def gather(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = np.empty((len(rows), *parts[0][0].shape[1:]), np.uint8)
        labels, start = np.empty(len(rows), np.int32), 0
        for x, y in parts:
            here = (start <= rows) & (rows < start + len(x))
            images[here], labels[here] = x[rows[here] - start], y[rows[here] - start]
            start += len(x)
        return images, labels

    images, labels = tf.numpy_function(gather, [rows], [tf.uint8, tf.int32], stateful=False)
    images, labels = tf.ensure_shape(images, (None, *parts[0][0].shape[1:])), tf.ensure_shape(labels, (None,))
    return scale(tf.cast(images, tf.float32)), labels


def without_autotune(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements with autotuning off: closing an autotuned feed often takes a second (TensorFlow 2.21)."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
