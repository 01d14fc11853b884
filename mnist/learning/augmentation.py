"""Random changes of training images: where the ink is, in one resampling; how it is drawn; how it was photographed."""

import math

from mnist.core.sections import Augmentation
from mnist.learning.backend import tf


def augment(images: tf.Tensor, settings: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Change each image at random, independently of the others.

    Args:
        images: float32 `(n, rows, columns, 1)` in 0–1; what comes in from outside is 0.
        settings: how far each change may go.
        seed: two integers; the same seed gives the same images.
    """
    if any(getattr(settings, name) for name in MOVING):
        images = _distorted(images, settings, seed)
    for number, (name, change) in enumerate(CHANGES.items(), start=2):  # `_distorted` has used seed and seed + 1
        if bound := getattr(settings, name):
            images = change(images, bound, seed + 2 * number)
    return images


def _distorted(images: tf.Tensor, bounds: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Each image under its own random affine map, drawn uniformly within ± `bounds`."""
    limits = [math.radians(bounds.rotation), bounds.zoom, bounds.zoom, bounds.shear, bounds.shift, bounds.shift]
    draws = _draws(images, len(limits), seed, -1, 1) * tf.constant(limits)
    angle, zoom_x, zoom_y, shear, shift_x, shift_y = tf.unstack(draws, axis=1)
    cos, sin = tf.cos(angle), tf.sin(angle)
    # Output pixel → input pixel, about the centre: shear, then zoom, then rotation, then flip.
    a, b = (1 + zoom_x) * cos, (1 + zoom_x) * (shear * cos - sin)
    c, d = (1 + zoom_y) * sin, (1 + zoom_y) * (shear * sin + cos)
    if bounds.flip:
        sign = tf.where(_draws(images, 1, seed + 1)[:, 0] < bounds.flip, -1.0, 1.0)
        a, b, shift_x = a * sign, b * sign, shift_x * sign
    middle_y, middle_x = (images.shape[1] - 1) / 2, (images.shape[2] - 1) / 2
    shift_x += middle_x - a * middle_x - b * middle_y
    shift_y += middle_y - c * middle_x - d * middle_y
    zero = tf.zeros_like(a)
    transforms = tf.stack([a, b, shift_x, c, d, shift_y, zero, zero], axis=1)
    distorted = tf.raw_ops.ImageProjectiveTransformV3(  # keras.ops would not run in a feed on another backend
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(distorted, images.shape)


def _stroked(images: tf.Tensor, bound: float, seed: tf.Tensor) -> tf.Tensor:
    """Each image with strokes thicker or thinner by up to `bound` pixels on either side."""
    pixels = _draws(images, 1, seed, -bound, bound)[:, :, None, None]
    thick, thin = _widest(images), -_widest(-images)
    return images + tf.nn.relu(pixels) * (thick - images) + tf.nn.relu(-pixels) * (thin - images)


def _widest(images: tf.Tensor) -> tf.Tensor:
    return tf.nn.max_pool2d(images, 3, 1, "SAME")


def _banded(images: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """A `share` of the images with bands at some sides, of up to a quarter, where ink and paper change places."""
    rows, columns = images.shape[1:3]
    draws = _draws(images, 6, seed)[:, :, None]
    level = tf.where(draws[:, 0] < share, 1 - 0.7 * tf.square(draws[:, 1]), 0)[:, :, None, None]
    wide = tf.maximum(2 * draws[:, 2:] - 1, 0) / 4  # of each side, half of the time none
    down, right = tf.range(rows, dtype=tf.float32) + 0.5, tf.range(columns, dtype=tf.float32) + 0.5
    beside = (right < columns * wide[:, 0]) | (right > columns * (1 - wide[:, 1]))
    above = (down < rows * wide[:, 2]) | (down > rows * (1 - wide[:, 3]))
    band = level * tf.cast(beside[:, None, :, None] | above[:, :, None, None], tf.float32)
    return images + band - 2 * band * images


def _blurred(images: tf.Tensor, bound: float, seed: tf.Tensor) -> tf.Tensor:
    """Each image mixed with up to `bound` of itself under a Gaussian of one pixel."""
    kernel = tf.constant([1, 4, 6, 4, 1], tf.float32) / 16
    blurred = tf.nn.conv2d(images, kernel[:, None, None, None], 1, "SAME")
    blurred = tf.nn.conv2d(blurred, kernel[None, :, None, None], 1, "SAME")
    return images + _mostly_little(images, seed, bound) * (blurred - images)


def _paler(images: tf.Tensor, bound: float, seed: tf.Tensor) -> tf.Tensor:
    """Each image with up to `bound` less between paper and ink, on paper that is grey, and lighter on one side."""
    lost = _mostly_little(images, seed, bound)
    corners = tf.reshape(_draws(images, 4, seed + 1), (-1, 2, 2, 1))
    return images * (1 - lost) + lost * tf.image.resize(corners, images.shape[1:3])


def _noisy(images: tf.Tensor, bound: float, seed: tf.Tensor) -> tf.Tensor:
    """Each image with normally distributed noise of a deviation up to `bound`."""
    noise = tf.random.stateless_normal(tf.shape(images), seed + 1)
    return tf.clip_by_value(images + _mostly_little(images, seed, bound) * noise, 0, 1)


def _mostly_little(images: tf.Tensor, seed: tf.Tensor, bound: float) -> tf.Tensor:
    """A number in 0 … `bound` for each image, `(n, 1, 1, 1)`; half of them are below a quarter of it."""
    return bound * tf.square(_draws(images, 1, seed))[:, :, None, None]


def _draws(images: tf.Tensor, count: int, seed: tf.Tensor, low: float = 0, high: float = 1) -> tf.Tensor:
    """`count` numbers for each image, uniform in `low` … `high`."""
    return tf.random.stateless_uniform((tf.shape(images)[0], count), seed, low, high)


MOVING = ("shift", "rotation", "zoom", "shear", "flip")
CHANGES = {"stroke": _stroked, "bands": _banded, "blur": _blurred, "contrast": _paler, "noise": _noisy}
