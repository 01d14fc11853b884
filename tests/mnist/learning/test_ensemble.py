"""Averages: of one network's weights over its steps, and of several networks' answers."""

import numpy as np
import pytest

from mnist.learning.backend import keras
from mnist.learning.ensemble import networks, trained
from mnist.learning.model import load_model
from tests.conftest import TINY
from tests.mnist.learning.conftest import Interrupted
from tests.mnist.learning.test_training import pair, saved_training

pytestmark = pytest.mark.slow

SOFTMAX = [{"Flatten": {}}, {"Dense": {"units": 10, "activation": "softmax"}}]
AVERAGED = pair(SOFTMAX, weight_average=0.8, epochs=2)
THREE = pair(TINY, seed=2, ensemble=3, epochs=2)


@pytest.fixture(scope="module")
def data(real_digits):
    return tuple(part[:72] for part in real_digits)


@pytest.fixture(scope="module")
def three(data, tmp_path_factory):
    """(bytes, history, model) of an ensemble that nothing interrupts."""
    folder = tmp_path_factory.mktemp("three")
    content, history = saved_training(THREE, data, folder)
    return content, history, load_model(folder / "model.h5")


class Steps(keras.callbacks.Callback):
    """The weights after each step."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights())


# Weights.


def test_the_trained_weights_are_the_moving_average_of_those_after_each_step(data, tmp_path):
    steps = Steps()
    with trained(AVERAGED, data, tmp_path, [steps]) as (model, history):
        pass
    assert len(steps.weights) == 8
    average = steps.weights[0]
    for weights in steps.weights[1:]:
        average = [0.8 * old + 0.2 * new for old, new in zip(average, weights, strict=True)]
    for found, by_hand, last in zip(model.get_weights(), average, steps.weights[-1], strict=True):
        assert np.allclose(found, by_hand, atol=1e-6)
        assert not np.allclose(found, last, atol=1e-4)
    images, labels = data
    logits = images[54:].reshape(18, -1) / 255 @ average[0] + average[1]
    assert history[-1]["val_accuracy"] == pytest.approx((logits.argmax(axis=1) == labels[54:]).mean())


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_averaged_training_interrupted_ends_in_the_same_bytes(data, interrupt, tmp_path, epoch):
    expected = saved_training(AVERAGED, data, tmp_path)
    interrupt(epoch)
    with pytest.raises(Interrupted):
        saved_training(AVERAGED, data, tmp_path)
    assert saved_training(AVERAGED, data, tmp_path) == expected


# Answers.


def test_an_ensemble_answers_with_the_mean_of_the_networks_that_its_seeds_give_alone(three, data, tmp_path):
    _, history, whole = three
    inputs = data[0][..., None] / np.float32(255)
    alone, rows = [], []
    for seed in (6, 7, 8):  # the third three
        with trained(pair(TINY, seed=seed, epochs=2), data, tmp_path) as (model, own):
            alone.append(model.predict(inputs, verbose=0))
            rows.append(own[-1])
    assert np.allclose(whole.predict(inputs, verbose=0), np.mean(alone, axis=0), atol=1e-6)
    assert len({answers.tobytes() for answers in alone}) == 3
    assert history[-1]["loss"] == pytest.approx(np.mean([row["loss"] for row in rows]))
    assert [row["epoch"] for row in history] == [1, 2]


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_an_ensemble_interrupted_goes_on_with_its_networks_and_ends_in_the_same_bytes(
    three, data, interrupt, tmp_path, capfd, count
):
    interrupt(count)
    with pytest.raises(Interrupted):
        saved_training(THREE, data, tmp_path)
    capfd.readouterr()
    assert saved_training(THREE, data, tmp_path) == three[:2]
    assert capfd.readouterr().out.count("going on after epoch 2 of 2") == count // 2
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_saved_ensemble_is_a_model_of_keras_with_compile_settings(three, tmp_path):
    _, _, model = three
    assert [network.name for network in networks(model)] == ["tiny_0", "tiny_1", "tiny_2"]
    assert type(model.optimizer).__name__ == "Adam" and int(model.optimizer.iterations) == 0
    assert model.count_params() == 3 * networks(model)[0].count_params()
    (tmp_path / "model.h5").write_bytes(three[0])
    assert keras.models.load_model(tmp_path / "model.h5").name == "tiny"


def test_a_single_network_is_no_ensemble(tiny_model):
    assert networks(tiny_model) == []
