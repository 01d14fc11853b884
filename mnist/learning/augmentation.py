"""Random changes of training images: shift, rotation, zoom, shear and flip in one resampling, then a cutout."""

import math

from mnist.learning.backend import tf
from mnist.sections import Augmentation


def augment(images: tf.Tensor, settings: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Change each image at random, independently of the others.

    Args:
        images: float32 `(n, rows, columns, 1)`; what comes in from outside, and what is cut out, is 0.
        settings: how far each change may go.
        seed: two integers; the same seed gives the same images.
    """
    if settings != Augmentation(cutout=settings.cutout):
        images = _distorted(images, settings, seed)
    return _cut_out(images, settings.cutout, seed) if settings.cutout else images


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


def _cut_out(images: tf.Tensor, fraction: float, seed: tf.Tensor) -> tf.Tensor:
    """Each image without a rectangle of `fraction` of its sides, about a point drawn anywhere in it.

    Source: DeVries and Taylor, arXiv 1708.04552.
    """
    centres = _draws(images, 2, seed + 2)
    keep_rows, keep_columns = (
        tf.abs(tf.range(size, dtype=tf.float32) + 0.5 - centres[:, axis, None] * size) > fraction * size / 2
        for axis, size in enumerate(images.shape[1:3])
    )
    keep = keep_rows[:, :, None] | keep_columns[:, None, :]
    return images * tf.cast(keep, images.dtype)[..., None]


def _draws(images: tf.Tensor, count: int, seed: tf.Tensor, low: float = 0, high: float = 1) -> tf.Tensor:
    """`count` numbers for each image, uniform in `low` … `high`."""
    return tf.random.stateless_uniform((tf.shape(images)[0], count), seed, low, high)
