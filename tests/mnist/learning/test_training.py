"""Learning rate, optimizer, and whole trainings, against closed forms and NumPy."""

import json
import math

import numpy as np
import pytest

from mnist.core.files import sha256
from mnist.learning import layers as own_layers
from mnist.learning.backend import keras
from mnist.learning.blurred import blurred
from mnist.learning.model import hdf5, load_model
from mnist.learning.randomness import Purpose, derive_seed
from mnist.learning.training import TrainingError, learning_rate, make_optimizer, training_run
from mnist.learning.trial import train_and_score
from tests.digits import TRAIN
from tests.mnist.learning.trainings import DATASET, IMAGES, STEPS, quick, saved_training

pytestmark = pytest.mark.slow

ONE_CYCLE = quick()
CONSTANT = quick(schedule="constant", optimizer={"SGD": {"momentum": 0.9}}, validation_split=0.0)
STILL = {"optimizer": {"SGD": {}}, "learning_rate": 1e-12, "schedule": "constant", "epochs": 1}
LINEAR = [{"Flatten": {}}, {"Dense": {"activation": "softmax"}}]


def one_cycle(step, steps, rise, peak):
    """Closed form: a straight line up, half a cosine down."""
    if step < rise:
        return peak * step / rise
    return peak * (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


@pytest.mark.parametrize(("steps", "warm_up", "rise"), [(100, 0.3, 30), (7, 0.5, 4), (2230, 0.25, 558), (10, 0.0, 0)])
def test_one_cycle_is_its_closed_form_at_every_step(steps, warm_up, rise):
    rate = learning_rate(quick(learning_rate=0.5, warm_up=warm_up).train, steps)
    chosen = range(0, steps + 1, max(1, steps // 50))
    expected = [one_cycle(step, steps, rise, 0.5) for step in chosen]
    assert [float(rate(step)) for step in chosen] == pytest.approx(expected, abs=1e-6)  # float32


def test_one_cycle_by_hand_and_a_constant_rate():
    rate = learning_rate(quick(learning_rate=0.004, warm_up=0.3).train, 100)
    by_hand = {0: 0.0, 15: 0.002, 30: 0.004, 65: 0.002, 100: 0.0}
    assert {step: float(rate(step)) for step in by_hand} == pytest.approx(by_hand, abs=1e-9)
    assert learning_rate(quick(schedule="constant", learning_rate=0.02).train, 100) == 0.02


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ({"Adm": {"beta_1": 0.8}}, "Adm: expected a class of keras.optimizers, found 'Adm'; did you mean 'Adam'?"),
        ({"get": {}}, "get: expected a class of keras.optimizers, found 'get'"),  # a function
        ({"Adafactor": {}}, "Adafactor: expected a class of keras.optimizers"),  # Keras cannot save it
        ({"MultiOptimizer": {}}, "MultiOptimizer: expected a class of keras.optimizers"),
        ({"Adam": {"beta1": 1}}, "Adam: unknown argument 'beta1'; did you mean 'beta_1'?"),
        ({"Adam": {"learning_rate": 1}}, "'learning_rate'"),
        ({"SGD": {"momentum": 2}}, "SGD: `momentum` must be"),
    ],
    ids=str,
)
def test_an_optimizer_that_cannot_be_built_is_named_in_one_line(optimizer, words):
    with pytest.raises(TrainingError) as refusal:
        make_optimizer(quick(optimizer=optimizer).train, 10)
    message = str(refusal.value)
    assert message.startswith("params.yaml: train.optimizer.") and words in message
    assert "\n" not in message


def test_an_optimizers_own_arguments_reach_it():
    settings = quick(optimizer={"SGD": {"momentum": 0.5, "nesterov": True}}, schedule="constant")
    optimizer = make_optimizer(settings.train, 10)
    assert (type(optimizer).__name__, optimizer.momentum, optimizer.nesterov) == ("SGD", 0.5, True)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


def test_a_loss_that_is_not_finite_is_refused_in_one_line(data, tmp_path):
    words = r"^params\.yaml: train\.learning_rate: expected a finite loss, found \S+ in epoch 1$"
    with pytest.raises(TrainingError, match=words):
        saved_training(quick(optimizer={"SGD": {}}, schedule="constant", learning_rate=1e30), data, tmp_path)
    assert not (tmp_path / "model.h5").exists()


def test_a_validation_part_that_leaves_no_image_is_refused(data, tmp_path):
    words = r"train\.validation_split: expected an image to train on, found none left of 1$"
    with pytest.raises(TrainingError, match=words):
        saved_training(ONE_CYCLE, tuple(part[:1] for part in data), tmp_path)


def test_the_history_has_a_row_an_epoch_with_the_learning_rate_at_its_end(whole):
    _, history = whole(ONE_CYCLE)
    steps = 3 * STEPS
    expected = [one_cycle(epoch * STEPS, steps, round(0.3 * steps), 0.01) for epoch in (1, 2, 3)]
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["learning_rate"] for row in history] == pytest.approx(expected, abs=1e-8)
    assert set(history[0]) == {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert json.loads(json.dumps(history)) == history
    assert set(whole(CONSTANT)[1][0]) == {"epoch", "loss", "accuracy", "learning_rate"}


def test_the_validation_figures_are_those_of_the_held_out_images(whole, data, tmp_path):
    content, history = whole(ONE_CYCLE)
    (tmp_path / "model.h5").write_bytes(content)
    x, y = (part[54:] for part in data)
    probabilities = keras.models.load_model(tmp_path / "model.h5")(x[..., None] / np.float32(255)).numpy()
    assert history[-1]["val_accuracy"] == pytest.approx((probabilities.argmax(axis=1) == y).mean(), abs=1e-6)
    assert history[-1]["val_loss"] == pytest.approx(-np.log(probabilities[np.arange(18), y]).mean(), rel=1e-5)


def test_the_loss_is_that_of_smoothed_labels_and_the_validation_loss_that_of_the_labels(data, tmp_path):
    recipe = quick(LINEAR, augmentation={}, label_smoothing=0.1, **STILL)
    images, labels = data
    with training_run(recipe, DATASET, data, tmp_path) as (model, (history,)):
        kernel, bias = model.get_weights()
    logits = images.reshape(IMAGES, -1) / 255 @ kernel + bias
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    plain = -logs[range(IMAGES), labels]
    smoothed = 0.9 * plain - 0.1 * logs.mean(axis=1)
    assert history["loss"] == pytest.approx(smoothed[:54].mean(), rel=1e-5)
    assert history["val_loss"] == pytest.approx(plain[54:].mean(), rel=1e-5)
    assert history["val_accuracy"] == pytest.approx((logs.argmax(axis=1) == labels)[54:].mean())


def test_made_up_images_are_trained_on_and_those_of_no_class_have_no_part_in_the_accuracy(data, tmp_path):
    recipe = quick(LINEAR, seed=1, augmentation={}, out_of_class=1.0, batch_size=74, **STILL)
    with training_run(recipe, DATASET, data, tmp_path) as (model, (history,)):
        kernel, bias = model.get_weights()
    assert int(model.optimizer.iterations) == 2  # 54 images, 40 blurred ones, 54 of no class
    images, labels = (part[:54] for part in data)
    rng = np.random.default_rng(derive_seed(1, 0, Purpose.BLUR))
    chosen = rng.choice(54, 40, replace=False)  # three quarters of 54
    seen = np.concatenate([images, blurred(images[chosen], rng)]).reshape(94, -1) / 255
    right = (seen @ kernel + bias).argmax(axis=1) == np.concatenate([labels, labels[chosen]])
    assert history["accuracy"] == pytest.approx(right.mean())
    with training_run(quick(LINEAR, printed=0.5, penned=0.5, batch_size=107, **STILL), DATASET, data, tmp_path) as run:
        assert int(run[0].optimizer.iterations) == 2  # 54, 27 and 27 images


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_training_step_is_traced_once(data, tmp_path, monkeypatch, smoothing):
    traced, step = [], keras.Sequential.train_step
    monkeypatch.setattr(keras.Sequential, "train_step", lambda model, batch: traced.append(1) or step(model, batch))
    with training_run(quick(LINEAR, epochs=2, label_smoothing=smoothing), DATASET, data, tmp_path):
        assert traced == [1]


def test_a_training_learns_and_is_scored_on_another_table(real_digits, tmp_path):
    from mnist.core.table import write_csv

    parts = {"train": slice(1000), "test": slice(TRAIN, None)}
    for name, rows in parts.items():
        write_csv([tuple(part[rows] for part in real_digits)], tmp_path / f"{name}.csv")
    tables = tmp_path / "train.csv", tmp_path / "test.csv"
    recipe = quick(epochs=4, augmentation={}, learning_rate=0.02)
    with train_and_score(recipe, DATASET, *tables, tmp_path / "checkpoints") as (model, scores):
        images, labels = (part[TRAIN:] for part in real_digits)
        answers = model.predict(images[..., None] / np.float32(255), verbose=0).argmax(axis=1)
    assert scores.accuracy == (answers == labels).mean() > 0.8  # 0.1 is chance
    assert scores.errors == (answers != labels).sum()


def test_a_training_starts_from_an_earlier_model(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved_training(quick(LINEAR, epochs=1), data, tmp_path)
    initial = {"file": "model.h5", "sha256": sha256(tmp_path / "model.h5")}
    with training_run(quick(LINEAR, initial_weights=initial, **STILL), DATASET, data, tmp_path / "own") as (model, _):
        for found, expected in zip(model.get_weights(), load_model(tmp_path / "model.h5").get_weights(), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_training_normalizes_images_in_one_operation_and_calls_what_it_is_given(data, tmp_path, monkeypatch):
    own, layers, ended = own_layers._normalize, set(), []
    monkeypatch.setattr(own_layers, "_normalize", lambda layer, inputs: layers.add(layer.name) or own(layer, inputs))
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ended.append(epoch))
    saved_training(CONSTANT, data, tmp_path, callbacks=[callback])
    assert (layers, ended) == ({"bn"}, [0, 1, 2])


@pytest.mark.parametrize("schedule", ["one_cycle", "constant"])
def test_the_saved_model_has_its_compile_settings_and_optimizer_state(tmp_path, data, schedule):
    images, labels = data
    with training_run(quick(schedule=schedule, label_smoothing=0.1), DATASET, data, tmp_path / "c") as (model, _):
        model.save(tmp_path / "model.h5")
    copy = load_model(tmp_path / "model.h5")
    assert (copy.loss.__name__, type(copy.optimizer).__name__) == ("sparse_categorical_crossentropy", "Adam")
    assert int(copy.optimizer.iterations) == 3 * STEPS
    assert float(copy.optimizer.learning_rate) == pytest.approx(float(model.optimizer.learning_rate))
    assert len(copy.optimizer.variables) == len(model.optimizer.variables) > 10
    for found, expected in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    x = images[..., None] / np.float32(255)
    np.testing.assert_array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))
    assert copy.evaluate(x, labels, verbose=0, return_dict=True).keys() == {"loss", "accuracy"}


def test_hdf5_made_in_memory_has_the_bytes_that_keras_writes_to_a_file(tmp_path, tiny_model):
    tiny_model.save(tmp_path / "model.h5")
    assert hdf5(tiny_model) == (tmp_path / "model.h5").read_bytes()
