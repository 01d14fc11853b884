"""Batch normalization in one operation, against its formula in NumPy and Keras' own layer; and saved as Keras' own."""

import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from mnist.learning.backend import keras, tf
from mnist.learning.layers import BatchNormalization

pytestmark = pytest.mark.slow

SHAPE = (6, 5, 4, 3)


@pytest.fixture
def images():
    return np.random.default_rng(0).normal([1, -2, 30], [1, 3, 0.1], SHAPE).astype(np.float32)


def layer_for(images, kind=BatchNormalization, **settings):
    """A layer whose weights and averages are no longer those it began with."""
    layer = kind(**settings)
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
    found = layer(images, training=True)
    exact = images.astype(float)
    own_mean, own_variance = exact.mean(axis=(0, 1, 2)), exact.var(axis=(0, 1, 2))
    expected = gamma * (exact - own_mean) / np.sqrt(own_variance + 0.01) + beta
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean, 0.8 * mean + 0.2 * own_mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.8 * variance + 0.2 * own_variance, rtol=1e-4)


def test_gradients_are_those_of_keras(images):
    weights = np.random.default_rng(2).normal(size=SHAPE)

    def gradients(kind):
        layer, x = layer_for(images, kind), tf.Variable(images)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, training=True) * weights)
        return tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])

    for ours, theirs in zip(gradients(BatchNormalization), gradients(keras.layers.BatchNormalization), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)


def test_only_what_the_operation_does_is_left_to_it(images):
    def used(images, how=(), **settings):
        return fuses(layer_for(images, **settings), images, **({"training": True} | dict(how)))

    assert used(images)
    assert used(images, axis=3)
    assert not used(images, how={"training": False})
    assert not used(images, how={"mask": np.ones(SHAPE[:3], bool)})
    assert not used(images[:, 0, 0])
    assert not used(images.astype(np.float16))
    assert not used(images, dtype=keras.DTypePolicy("mixed_float16"), autocast=False)
    assert not fuses(layer_for(images, keras.layers.BatchNormalization), images, training=True)  # Keras' own class
    for settings in ({"axis": 1}, {"scale": False}, {"center": False}, {"trainable": False}, {"renorm": True}):
        assert not used(images, **settings), settings


def test_a_batch_of_one_pixel_has_no_variance():
    layer = layer_for(np.zeros((1, 1, 1, 2)), momentum=0.0)
    layer(np.array([[[[3.0, 5.0]]]], np.float32), training=True)
    assert layer.moving_mean.numpy().tolist() == [3.0, 5.0]
    assert layer.moving_variance.numpy().tolist() == [0.0, 0.0]


ELSEWHERE = """
import sys
sys.modules["mnist"] = None  # an import of it fails, even where it is installed
import keras, numpy
models = [keras.models.load_model(f"model{suffix}", compile=False) for suffix in (".h5", ".keras")]
assert all(type(model.layers[1]) is keras.layers.BatchNormalization for model in models)
numpy.save("answers.npy", [model(numpy.load("images.npy")) for model in models])
assert keras.models.model_from_json(open("model.json").read()).count_params() == models[0].count_params()
"""


@pytest.mark.filterwarnings("ignore")
def test_a_model_built_with_it_is_saved_with_keras_own_and_loads_without_this_project(tiny_model, tmp_path):
    images = np.random.default_rng(3).uniform(size=(5, 28, 28, 1)).astype(np.float32)
    assert type(tiny_model.layers[1]) is BatchNormalization
    for suffix in (".h5", ".keras"):
        tiny_model.save(tmp_path / f"model{suffix}")
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "model.json").write_text(tiny_model.to_json(), encoding="utf-8")
    with h5py.File(tmp_path / "model.h5") as file:
        texts = [tiny_model.to_json(), file.attrs["model_config"] + file.attrs["training_config"]]
    texts.append(zipfile.ZipFile(tmp_path / "model.keras").read("config.json").decode())
    assert all('"BatchNormalization"' in text and "mnist" not in text for text in texts)
    done = subprocess.run([sys.executable, "-I", "-c", ELSEWHERE], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for answers in np.load(tmp_path / "answers.npy"):
        np.testing.assert_allclose(answers, tiny_model(images), atol=1e-6)
