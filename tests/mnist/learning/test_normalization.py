"""Batch normalization in one operation, against its formula in NumPy and against Keras' own."""

import numpy as np
import pytest

from mnist.learning.backend import keras, tf
from mnist.learning.normalization import fused

SHAPE = (6, 5, 4, 3)


@pytest.fixture
def images():
    return np.random.default_rng(0).normal([1, -2, 30], [1, 3, 0.1], SHAPE).astype(np.float32)


def layer_for(images, **settings):
    """A layer whose weights and averages are no longer those it began with."""
    layer = keras.layers.BatchNormalization(**settings)
    layer.build(images.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 2, value.shape).astype(np.float32) for value in layer.get_weights()])
    return layer


def fuses(layer, images, **how):
    """Whether a call of the layer has TensorFlow's operation in its graph."""
    graph = tf.function(lambda: layer.call(tf.constant(images), **how)).get_concrete_function().graph
    return "FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}


def test_images_are_normalized_by_their_batch_and_the_averages_follow(images):
    layer = layer_for(images, momentum=0.8, epsilon=0.01)
    gamma, beta, mean, variance = (value.astype(float) for value in layer.get_weights())
    with fused():
        found = layer(images, training=True)
    exact = images.astype(float)
    own_mean, own_variance = exact.mean(axis=(0, 1, 2)), exact.var(axis=(0, 1, 2))
    expected = gamma * (exact - own_mean) / np.sqrt(own_variance + 0.01) + beta
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.8 * mean + 0.2 * own_mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.8 * variance + 0.2 * own_variance, rtol=1e-4)


def test_gradients_are_those_of_keras(images):
    layer, weights = layer_for(images), np.random.default_rng(2).normal(size=SHAPE)

    def gradients():
        x = tf.Variable(images)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) * weights)
        return tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    own = gradients()
    with fused():
        found = gradients()
    for ours, theirs in zip(found, own, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_only_what_the_operation_does_is_left_to_it(images):
    def used(images, how=(), **settings):
        with fused():
            return fuses(layer_for(images, **settings), images, **({"training": True} | dict(how)))

    assert used(images)
    assert used(images, axis=3)
    assert not used(images, how={"training": False})
    assert not used(images, how={"mask": np.ones(SHAPE[:3], bool)})
    assert not used(images[:, 0, 0])
    assert not used(images.astype(np.float16))
    assert not used(images, dtype=keras.DTypePolicy("mixed_float16"), autocast=False)
    for settings in ({"axis": 1}, {"scale": False}, {"center": False}, {"trainable": False}, {"renorm": True}):
        assert not used(images, **settings), settings


def test_keras_own_comes_back_even_after_an_error(images):
    with pytest.raises(KeyError), fused():
        raise KeyError
    assert not fuses(layer_for(images), images, training=True)


def test_a_batch_of_one_pixel_has_no_variance():
    layer = layer_for(np.zeros((1, 1, 1, 2)), momentum=0.0)
    with fused():
        layer(np.array([[[[3.0, 5.0]]]], np.float32), training=True)
    assert layer.moving_mean.numpy().tolist() == [3.0, 5.0]
    assert layer.moving_variance.numpy().tolist() == [0.0, 0.0]
