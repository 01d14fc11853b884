"""Random distortions of training images: shift, rotation, zoom and shear in one resampling."""

import math

from mnist.learning.backend import tf
from mnist.sections import Augmentation


def distort(images: tf.Tensor, bounds: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Distort each image by its own random affine map, drawn uniformly within ± `bounds`.

    Args:
        images: float32 `(n, rows, columns, 1)`; what comes in from outside is 0.
        bounds: how far each distortion may go.
        seed: two integers; the same seed gives the same images.
    """
    limits = [math.radians(bounds.rotation), bounds.zoom, bounds.zoom, bounds.shear, bounds.shift, bounds.shift]
    draws = tf.random.stateless_uniform((tf.shape(images)[0], len(limits)), seed, -1, 1) * tf.constant(limits)
    angle, zoom_x, zoom_y, shear, shift_x, shift_y = tf.unstack(draws, axis=1)
    cos, sin = tf.cos(angle), tf.sin(angle)
    # Output pixel → input pixel, about the centre: shear, then zoom, then rotation.
    a, b = (1 + zoom_x) * cos, (1 + zoom_x) * (shear * cos - sin)
    c, d = (1 + zoom_y) * sin, (1 + zoom_y) * (shear * sin + cos)
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
