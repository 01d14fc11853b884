"""Images and labels → batches for Keras."""

import numpy as np

from mnist.core.sections import Augmentation, Training
from mnist.learning.augmentation import augment
from mnist.learning.backend import tf
from mnist.learning.distribution import process
from mnist.learning.randomness import Purpose, mix
from mnist_reader.core.pixels import scale

BATCH = 500  # images, where nothing is learnt from them; throughput on a CPU is flat from here on
NO_CLASS = -1  # the label of a picture of no class
Data = tuple[np.ndarray, np.ndarray]  # images uint8 (n, rows, columns) and integer labels (n,)


def split(images: np.ndarray, labels: np.ndarray, fraction: float) -> tuple[Data, Data]:
    """(training part, validation part): the last `fraction` of the rows is held out, as by Keras' validation_split."""
    kept = int(len(images) * (1 - fraction))
    return (images[:kept], labels[:kept]), (images[kept:], labels[kept:])


def probabilities(labels: tf.Tensor, classes: int, smoothing: float = 0) -> tf.Tensor:
    """Labels `(n,)` as float32 `(n, classes)`: for NO_CLASS all alike, else 1 for the class.

    Args:
        smoothing: the fraction that is spread evenly over all classes.
            Source: Szegedy et al., arXiv 1512.00567, section 7.
    """
    targets = tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
    return tf.where(labels[:, None] == NO_CLASS, 1 / classes, targets)


def feed(parts: list[Data], classes: int, training: Training, seed: int, start: int) -> tf.data.Dataset:
    """Batches of the epochs from `start` on; batch `i` of epoch `e` depends on `seed`, `e` and `i` alone.

    Where several processes train together, each gets its share of every batch: one after another, of equal size. The
    few images of an epoch that cannot be shared equally are left out; they are others in each epoch.

    Args:
        parts: what an epoch shuffles. The images stay where they are, as bytes; only a batch at a time is copied.
        classes: how many there are.
    """
    count = sum(len(x) for x, _ in parts)
    plain = max(training.epochs - training.plain_epochs, start)  # the first epoch that changes no image
    uses = Purpose.ORDER, Purpose.DISTORTION
    seeds = np.array([[mix(seed, epoch, use) for use in uses] for epoch in range(training.epochs)], np.int64)

    def epoch_batches(seeds: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(tf.range(count), seeds[0])[: shared(count)]
        batches = tf.data.Dataset.from_tensor_slices(order).batch(training.batch_size)
        return batches.enumerate().map(lambda i, rows: (_share(rows), _draw(seeds[1], i)))

    def batches(seeds: np.ndarray, augmentation: Augmentation) -> tf.data.Dataset:
        def batch(rows: tf.Tensor, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            inputs, labels = _gathered(parts, rows)
            return augment(inputs, augmentation, draw), _targets(labels, classes, training, learnt=True)

        return tf.data.Dataset.from_tensor_slices(seeds).flat_map(epoch_batches).map(batch, num_parallel_calls=2)

    changed = batches(seeds[start:plain], training.augmentation)
    return untuned(changed.concatenate(batches(seeds[plain:], Augmentation())).prefetch(2))


def in_order(data: Data, classes: int, training: Training) -> tf.data.Dataset:
    """Batches of the images as they come, with targets for the loss that `training` has, but not smoothed."""

    def batch(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        inputs, labels = _gathered([data], rows)
        return inputs, _targets(labels, classes, training, learnt=False)

    rows = tf.data.Dataset.range(shared(len(data[0])), output_type=tf.int32)
    return untuned(rows.batch(shared(BATCH)).map(_share).map(batch))


def shared(count: int) -> int:
    """The most of `count` images that all processes can share equally."""
    return count - count % process().processes


def _share(rows: tf.Tensor) -> tf.Tensor:
    """This process' share of a batch."""
    number, count = process()
    size = tf.shape(rows)[0] // count
    return rows[number * size : (number + 1) * size] if count > 1 else rows


def _draw(seed: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    """Two numbers to seed the distortions of a batch with; each process has its own."""
    number, _ = process()
    own = tf.random.experimental.stateless_fold_in(seed, batch)
    return tf.random.experimental.stateless_fold_in(own, number) if number else own


def soft(training: Training) -> bool:
    """Whether a training's loss takes a probability for each class; smoothing and negatives need that."""
    return bool(training.label_smoothing or training.negatives)


def _targets(labels: tf.Tensor, classes: int, training: Training, learnt: bool) -> tf.Tensor:
    if not soft(training):
        return labels
    return probabilities(labels, classes, training.label_smoothing if learnt else 0)


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


def untuned(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements with autotuning off: closing an autotuned feed often takes a second (TensorFlow 2.21)."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
