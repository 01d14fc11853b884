"""An ensemble is one model in every format: it answers with the mean of its networks."""

import numpy as np
import pytest

from mnist.export.folding import folded
from mnist.export.formats import FORMATS
from mnist.export.proof import ask
from mnist.export.runtime import Source
from mnist.learning.backend import keras
from mnist.learning.ensemble import averaged, networks
from mnist.learning.model import load_model
from tests.conftest import ABOUT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair_of_networks(tiny_model):
    """Two trained networks that differ in their weights."""
    other = keras.models.clone_model(tiny_model)
    other.set_weights([weight * 1.1 for weight in tiny_model.get_weights()])
    other.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    return tiny_model, other


@pytest.fixture(scope="module")
def ensemble(pair_of_networks, real_digits, tmp_path_factory):
    path = tmp_path_factory.mktemp("ensemble") / "model.h5"
    averaged(pair_of_networks).save(path)
    return Source(load_model(path), path, real_digits[0][:100], ABOUT)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_answers_with_the_mean_of_the_networks(ensemble, pair_of_networks, real_digits, tmp_path, name):
    images, form = real_digits[0][-200:], FORMATS[name]
    inputs = images[..., None] / np.float32(255)
    expected = np.mean([network.predict(inputs, verbose=0) for network in pair_of_networks], axis=0)
    path = tmp_path / form.file("1.1.0")
    form.write(ensemble, path)
    found = ask(form.load(path, ensemble), images, {})
    assert np.allclose(found, expected, atol=1e-5 if form.exact else 0.05)


def test_every_normalization_of_every_network_is_folded(ensemble):
    parts = networks(folded(ensemble.model))
    assert len(parts) == 2
    assert not [layer for part in parts for layer in part.layers if "Normalization" in type(layer).__name__]
