"""Learning rate, feed, and a training that goes on where it was interrupted."""

import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from mnist.core.params import load_params
from mnist.core.sections import Params, Training
from mnist.learning import layers as own_layers
from mnist.learning.backend import keras, tf
from mnist.learning.checkpoint import checkpoints, key
from mnist.learning.ensemble import trained
from mnist.learning.feed import NO_CLASS, feed, probabilities, split
from mnist.learning.model import load_model
from mnist.learning.training import TrainingError, learning_rate, make_optimizer, train
from tests.conftest import ROOT, TINY
from tests.mnist.learning.conftest import Interrupted

pytestmark = pytest.mark.slow

IMAGES = 72  # 54 of them to train on, in 4 batches an epoch of which the last is short
STEPS = 4


def training(**settings):
    defaults = {"epochs": 3, "batch_size": 16, "optimizer": {"Adam": {}}, "learning_rate": 0.01}
    return Training.model_validate(defaults | settings)


# Learning rate.


def one_cycle(step, steps, rise, peak):
    """Closed form: a straight line up, half a cosine down."""
    if step < rise:
        return peak * step / rise
    return peak * (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2


def test_one_cycle_starts_at_zero_peaks_and_ends_at_zero():
    rate = learning_rate(training(schedule="one_cycle", learning_rate=0.004, warm_up=0.3), 100)
    by_hand = {0: 0.0, 15: 0.002, 30: 0.004, 65: 0.002, 100: 0.0}
    assert {step: float(rate(step)) for step in by_hand} == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize(("steps", "warm_up", "rise"), [(100, 0.3, 30), (7, 0.5, 4), (2230, 0.25, 558), (10, 0.0, 0)])
def test_one_cycle_is_its_closed_form_at_every_step(steps, warm_up, rise):
    rate = learning_rate(training(schedule="one_cycle", learning_rate=0.5, warm_up=warm_up), steps)
    found = [float(rate(step)) for step in range(0, steps + 1, max(1, steps // 50))]
    expected = [one_cycle(step, steps, rise, 0.5) for step in range(0, steps + 1, max(1, steps // 50))]
    assert found == pytest.approx(expected, abs=1e-6)  # float32


def test_a_constant_learning_rate_is_the_number():
    assert learning_rate(training(learning_rate=0.02), 100) == 0.02


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ({"Adam": {"lr": 1}}, ["optimizer.Adam", "lr"]),
        ({"Adam": {"learning_rate": 1}}, ["optimizer.Adam", "learning_rate"]),
        ({"SGD": {"momentum": 2}}, ["optimizer.SGD", "momentum"]),
    ],
)
def test_an_optimizer_that_cannot_be_built_is_named_in_one_line(optimizer, words):
    with pytest.raises(TrainingError) as refusal:
        make_optimizer("quick", training(optimizer=optimizer), 10)
    message = str(refusal.value)
    assert message.startswith("params.yaml: trainings.quick.")
    assert all(word in message for word in words)
    assert "\n" not in message


def test_an_optimizers_own_arguments_reach_it():
    optimizer = make_optimizer("quick", training(optimizer={"SGD": {"momentum": 0.5, "nesterov": True}}), 10)
    assert (type(optimizer).__name__, optimizer.momentum, optimizer.nesterov) == ("SGD", 0.5, True)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


# Feed. Image i is all i, so that a batch tells which images it holds.

NUMBERED = np.tile(np.arange(50, dtype=np.uint8)[:, None, None], (1, 28, 28))
NAMES = np.arange(50, dtype=np.uint8)


def batches(settings, seed=0, start=0):
    return [(x.numpy(), y.numpy()) for x, y in feed([(NUMBERED, NAMES)], 50, settings, seed, start)]


def epochs_of(found, per_epoch=4):
    return [found[i : i + per_epoch] for i in range(0, len(found), per_epoch)]


def order(epoch):
    return np.concatenate([y for _, y in epoch]).tolist()


def test_each_epoch_gives_each_image_once_in_an_order_of_its_own():
    orders = [order(epoch) for epoch in epochs_of(batches(training(epochs=3)))]
    assert len(orders) == 3
    assert all(sorted(each) == list(range(50)) for each in orders)
    assert len({tuple(each) for each in [*orders, list(range(50))]}) == 4


def test_batches_have_the_size_asked_for_and_the_last_is_short():
    assert [len(y) for _, y in batches(training(epochs=1))] == [16, 16, 16, 2]


def test_images_come_scaled_to_0_to_1_with_their_labels():
    for x, y in batches(training(epochs=1)):
        assert x.dtype == np.float32
        assert x.shape == (len(y), 28, 28, 1)
        assert np.array_equal(x[:, 0, 0, 0], y.astype(np.float32) / np.float32(255))
        assert np.array_equal(x, np.broadcast_to(x[:, :1, :1], x.shape))


def assert_same(found, expected):
    assert len(found) == len(expected)
    for (x, y), (x_expected, y_expected) in zip(found, expected, strict=True):
        assert x.tobytes() == x_expected.tobytes()
        assert y.tobytes() == y_expected.tobytes()


AUGMENTED = training(epochs=4, augmentation={"shift": 2.0, "rotation": 10.0, "zoom": 0.1, "shear": 0.1})
PLAIN = training(epochs=4)
PLAIN_AT_LAST = AUGMENTED.model_copy(update={"plain_epochs": 2})


@pytest.mark.parametrize("settings", [PLAIN, AUGMENTED, PLAIN_AT_LAST], ids=["plain", "augmented", "plain at last"])
@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_feed_that_starts_later_is_the_tail_of_the_whole_feed(settings, start):
    assert_same(batches(settings, seed=7, start=start), batches(settings, seed=7)[start * 4 :])


def test_the_last_epochs_can_give_the_images_as_they_are_in_the_same_order():
    assert_same(batches(PLAIN_AT_LAST), batches(AUGMENTED)[:8] + batches(PLAIN)[8:])


def test_more_plain_epochs_than_epochs_are_all_plain():
    assert_same(batches(AUGMENTED.model_copy(update={"plain_epochs": 9})), batches(PLAIN))


def test_raising_the_epochs_leaves_the_earlier_ones_as_they_were():
    assert_same(batches(AUGMENTED)[:4], batches(AUGMENTED.model_copy(update={"epochs": 1})))


def test_the_distortions_are_drawn_anew_for_each_batch_and_epoch(real_digits):
    same = np.repeat(real_digits[0][:1], 32, axis=0)
    found = [x.numpy().tobytes() for x, _ in feed([(same, NAMES[:32])], 50, AUGMENTED, 0, 0)]
    assert len(found) == len(set(found)) == 8


def test_several_parts_are_shuffled_as_one():
    parts = [(NUMBERED[:20], NAMES[:20]), (NUMBERED[20:21], NAMES[20:21].astype(int)), (NUMBERED[21:], NAMES[21:])]
    found = [(x.numpy(), y.numpy()) for x, y in feed(parts, 50, training(), seed=3, start=0)]
    assert_same(found, batches(training(), seed=3))


@pytest.mark.parametrize("other", [1, 2**32 - 1])
def test_another_seed_is_another_order(other):
    assert order(batches(training(epochs=1), seed=0)) != order(batches(training(epochs=1), seed=other))


@pytest.mark.parametrize(
    ("n", "fraction", "kept"), [(60_000, 0.05, 57_000), (10, 0.25, 7), (10, 0.0, 10), (3, 0.5, 1), (1, 0.5, 0)]
)
def test_the_last_rows_are_held_out(n, fraction, kept):
    rows = np.arange(n)
    (x, y), (x_val, y_val) = split(rows, -rows, fraction)
    assert np.array_equal(x, rows[:kept]) and np.array_equal(x_val, rows[kept:])
    assert np.array_equal(y, -x) and np.array_equal(y_val, -x_val)


# Whole trainings, of a tiny model on a few images.


def pair(layers=TINY, seed=0, **settings):
    """A tiny architecture and a quick training, in the project's params.yaml."""
    defaults = {
        "validation_split": 0.25,
        "schedule": "one_cycle",
        "augmentation": {"shift": 1.5, "rotation": 8.0, "zoom": 0.08},
    }
    content = load_params(ROOT / "params.yaml").model_dump(by_alias=True)
    chosen = {"architecture": "tiny", "training": "quick", "seed": seed, "baselines": {}}
    tables = {"architectures": {"tiny": layers}, "trainings": {"quick": training(**(defaults | settings)).model_dump()}}
    return Params.model_validate(content | chosen | tables).pair()


@pytest.fixture(scope="module")
def data(real_digits):
    return tuple(part[:IMAGES] for part in real_digits)


def saved_training(settings, data, folder):
    """Train as the stage does; returns (bytes of the saved model, history)."""
    keras.utils.clear_session()
    with trained(settings, data, folder / "checkpoints") as (model, history):
        model.save(folder / "model.h5")
    return (folder / "model.h5").read_bytes(), history


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The result of a training that nothing interrupts; each is trained once."""
    results = {}

    def result(settings):
        name = repr(settings)
        if name not in results:
            results[name] = saved_training(settings, data, tmp_path_factory.mktemp("whole"))
        return results[name]

    return result


ONE_CYCLE = pair()
CONSTANT = pair(schedule="constant", optimizer={"SGD": {"momentum": 0.9}}, validation_split=0.0)


@pytest.mark.parametrize(
    "settings", [ONE_CYCLE, CONSTANT, pair(plain_epochs=2)], ids=["one cycle", "constant", "plain epochs"]
)
def test_a_training_interrupted_after_each_epoch_ends_in_the_same_bytes(
    whole, data, interrupt, tmp_path, capfd, settings
):
    for _ in range(2):
        interrupt(1)
        with pytest.raises(Interrupted):
            saved_training(settings, data, tmp_path)
        assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    found, history = saved_training(settings, data, tmp_path)
    printed = capfd.readouterr().out
    assert [line for line in printed.splitlines() if "going on" in line] == [
        "going on after epoch 1 of 3",
        "going on after epoch 2 of 3",
    ]
    assert history == whole(settings)[1]
    assert found == whole(settings)[0]


@pytest.mark.parametrize(
    ("kind", "arguments"), [("GaussianNoise", {"stddev": 0.3}), ("RandomRotation", {"factor": 0.1})]
)
def test_a_layer_with_random_numbers_of_its_own_resumes_exactly(whole, data, interrupt, tmp_path, kind, arguments):
    layers = [{kind: {"name": "random", **arguments}}, {"Flatten": {"name": "flat"}}, TINY[-1]]
    settings = pair(layers, epochs=2, augmentation={}, validation_split=0.0)
    interrupt(1)
    with pytest.raises(Interrupted):
        saved_training(settings, data, tmp_path)
    assert saved_training(settings, data, tmp_path) == whole(settings)


KILLED = """
import os, signal, sys
from pathlib import Path
from mnist.learning.checkpoint import Checkpoint, checkpoints
from mnist.learning.training import train
from tests import digits
from tests.mnist.learning.test_training import IMAGES, pair

save = Checkpoint.save
def save_and_die(self, model, history):
    save(self, model, history)
    os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.save = save_and_die
data = tuple(part[:IMAGES] for part in digits.load())
train(pair(), data, checkpoints(Path(sys.argv[1]), pair(), data)[0])
"""


def test_a_killed_training_goes_on_in_another_process_and_ends_in_the_same_bytes(whole, data, tmp_path, capfd):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "checkpoints")]
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert saved_training(ONE_CYCLE, data, tmp_path) == whole(ONE_CYCLE)
    assert "going on after epoch 1 of 3" in capfd.readouterr().out


def test_more_epochs_of_a_constant_learning_rate_go_on_and_equal_the_longer_training(whole, data, tmp_path, capfd):
    short = pair(schedule="constant", optimizer={"SGD": {"momentum": 0.9}}, validation_split=0.0, epochs=1)
    saved_training(short, data, tmp_path)
    assert saved_training(CONSTANT, data, tmp_path) == whole(CONSTANT)
    assert "going on after epoch 1 of 3" in capfd.readouterr().out


def test_the_same_training_again_gives_the_same_bytes_and_leaves_no_checkpoint(whole, data, tmp_path):
    assert saved_training(ONE_CYCLE, data, tmp_path) == whole(ONE_CYCLE)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_changed_seed_starts_afresh_and_removes_the_old_checkpoint(data, interrupt, tmp_path, capfd):
    interrupt(1)
    with pytest.raises(Interrupted):
        saved_training(ONE_CYCLE, data, tmp_path)
    (old,) = (tmp_path / "checkpoints").iterdir()
    _, history = saved_training(pair(seed=1), data, tmp_path)
    assert "going on" not in capfd.readouterr().out
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert not old.exists()


def key_of(settings, data):
    return key(settings, data)


OTHERS = {
    "seed": pair(seed=1),
    "learning rate": pair(learning_rate=0.02),
    "warm-up": pair(warm_up=0.5),
    "batch size": pair(batch_size=8),
    "validation part": pair(validation_split=0.5),
    "epochs of a cycle": pair(epochs=4),
    "augmentation": pair(augmentation={"shift": 1.0}),
    "plain epochs": pair(plain_epochs=1),
    "optimizer": pair(optimizer={"SGD": {}}),
    "optimizer's argument": pair(optimizer={"Adam": {"beta_1": 0.8}}),
    "average of the weights": pair(weight_average=0.9),
    "rate of dropout": pair([*TINY[:-2], {"Dropout": {"name": "drop", "rate": 0.2}}, TINY[-1]]),
    "order of layers": pair([TINY[0], TINY[2], TINY[1], *TINY[3:]]),
}


@pytest.mark.parametrize("changed", OTHERS.values(), ids=OTHERS)
def test_a_changed_setting_does_not_find_the_old_checkpoint_and_removes_it(data, tmp_path, changed):
    old = checkpoints(tmp_path, ONE_CYCLE, data)[0].path
    old.write_bytes(b"old")
    assert checkpoints(tmp_path, ONE_CYCLE, data)[0].path == old
    assert old.exists()
    assert checkpoints(tmp_path, changed, data)[0].path != old
    assert list(tmp_path.iterdir()) == []


def test_the_epochs_of_a_constant_learning_rate_do_not_change_the_key(data):
    one, three = (pair(schedule="constant", epochs=epochs) for epochs in (1, 3))
    assert key_of(one, data) == key_of(three, data)


def test_a_training_that_ends_with_plain_epochs_is_never_made_longer(data, tmp_path):
    short, long = (pair(schedule="constant", epochs=epochs, plain_epochs=1) for epochs in (1, 2))
    assert key_of(short, data) != key_of(long, data)
    saved_training(short, data, tmp_path)
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("changed", [0, 1], ids=["images", "labels"])
def test_changed_data_has_a_key_of_its_own(data, changed):
    other = [part.copy() for part in data]
    assert key_of(ONE_CYCLE, other) == key_of(ONE_CYCLE, data)
    other[changed].flat[-1] ^= 1
    assert key_of(ONE_CYCLE, other) != key_of(ONE_CYCLE, data)


def test_a_loss_that_is_not_finite_is_refused_in_one_line(data, tmp_path):
    with pytest.raises(TrainingError) as refusal:
        saved_training(pair(optimizer={"SGD": {}}, schedule="constant", learning_rate=1e30), data, tmp_path)
    message = str(refusal.value)
    assert message.startswith("params.yaml: trainings.quick.learning_rate: expected a finite loss, found ")
    assert "\n" not in message
    assert not (tmp_path / "model.h5").exists()


def test_a_validation_part_that_leaves_no_image_is_refused(data, tmp_path):
    with pytest.raises(TrainingError, match=r"trainings\.quick\.validation_split: leaves no image of 1"):
        saved_training(ONE_CYCLE, tuple(part[:1] for part in data), tmp_path)


def test_the_history_has_a_row_an_epoch_with_the_learning_rate_at_its_end(whole):
    _, history = whole(ONE_CYCLE)
    steps = 3 * STEPS
    expected = [one_cycle(epoch * STEPS, steps, round(0.3 * steps), 0.01) for epoch in (1, 2, 3)]
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert [row["learning_rate"] for row in history] == pytest.approx(expected, abs=1e-8)
    assert all({"loss", "accuracy", "val_loss", "val_accuracy"} <= set(row) for row in history)
    assert json.loads(json.dumps(history)) == history


def test_the_history_without_a_validation_part_has_no_validation_figures(whole):
    _, history = whole(CONSTANT)
    assert set(history[0]) == {"epoch", "loss", "accuracy", "learning_rate"}


def test_the_validation_figures_are_those_of_the_held_out_images(whole, data, tmp_path):
    content, history = whole(ONE_CYCLE)
    (tmp_path / "model.h5").write_bytes(content)
    x, y = (part[54:] for part in data)
    probabilities = keras.models.load_model(tmp_path / "model.h5")(x[..., None] / np.float32(255)).numpy()
    assert history[-1]["val_accuracy"] == pytest.approx((probabilities.argmax(axis=1) == y).mean(), abs=1e-6)
    assert history[-1]["val_loss"] == pytest.approx(-np.log(probabilities[np.arange(18), y]).mean(), rel=1e-5)


def test_a_training_learns(real_digits, tmp_path):
    settings = pair(epochs=4, augmentation={}, learning_rate=0.02)
    _, history = saved_training(settings, tuple(part[:1000] for part in real_digits), tmp_path)
    assert history[-1]["val_accuracy"] > 0.85  # 0.1 is chance


def test_a_training_normalizes_images_in_one_operation(data, tmp_path, monkeypatch):
    own, layers = own_layers._normalize, set()
    monkeypatch.setattr(own_layers, "_normalize", lambda layer, inputs: layers.add(layer.name) or own(layer, inputs))
    saved_training(CONSTANT, data, tmp_path)
    assert layers == {"bn"}


# Label smoothing.


def test_smoothing_spreads_a_fraction_of_each_label_over_all_classes():
    labels = tf.constant([0, 2, NO_CLASS])
    alike = [0.25, 0.25, 0.25, 0.25]
    smoothed = [[0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.85, 0.05], alike]
    assert np.allclose(probabilities(labels, 4, 0.2), smoothed)
    assert probabilities(labels, 4).numpy().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], alike]


def test_the_loss_is_that_of_smoothed_labels_and_the_validation_loss_that_of_the_labels(data, tmp_path):
    layers = [{"Flatten": {}}, {"Dense": {"units": 10, "activation": "softmax"}}]
    still = {"optimizer": {"SGD": {}}, "learning_rate": 1e-12, "schedule": "constant", "epochs": 1}
    settings = pair(layers, augmentation={}, label_smoothing=0.1, **still)
    model, (history,) = train(settings, data, checkpoints(tmp_path, settings, data)[0])
    images, labels = data
    kernel, bias = model.get_weights()
    logits = images.reshape(IMAGES, -1) / 255 @ kernel + bias
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    plain = -logs[range(IMAGES), labels]
    smoothed = 0.9 * plain - 0.1 * logs.mean(axis=1)
    assert history["loss"] == pytest.approx(smoothed[:54].mean(), rel=1e-5)
    assert history["val_loss"] == pytest.approx(plain[54:].mean(), rel=1e-5)
    assert history["val_accuracy"] == pytest.approx((logs.argmax(axis=1) == labels)[54:].mean())


def test_a_smoothed_training_interrupted_after_an_epoch_ends_in_the_same_bytes(whole, data, interrupt, tmp_path):
    settings = pair(label_smoothing=0.1)
    interrupt(1)
    with pytest.raises(Interrupted):
        saved_training(settings, data, tmp_path)
    assert saved_training(settings, data, tmp_path) == whole(settings)


@pytest.mark.parametrize("settings", [ONE_CYCLE, pair(schedule="constant")], ids=["one cycle", "constant"])
def test_the_saved_model_has_its_compile_settings_and_optimizer_state(tmp_path, data, settings):
    images, labels = data
    model, _ = train(settings, data, checkpoints(tmp_path, settings, data)[0])
    model.save(tmp_path / "model.h5")
    copy = load_model(tmp_path / "model.h5")
    assert copy.loss.__name__ == "sparse_categorical_crossentropy"
    assert type(copy.optimizer).__name__ == "Adam"
    assert int(copy.optimizer.iterations) == 3 * STEPS
    assert float(copy.optimizer.learning_rate) == pytest.approx(float(model.optimizer.learning_rate))
    assert len(copy.optimizer.variables) == len(model.optimizer.variables) > 10
    for found, expected in zip(copy.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(found.numpy(), expected.numpy())
    x = images[..., None] / np.float32(255)
    assert np.array_equal(copy.predict(x, verbose=0), model.predict(x, verbose=0))
    assert copy.evaluate(x, labels, verbose=0, return_dict=True).keys() == {"loss", "accuracy"}


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_a_training_killed_after_its_last_epoch_does_not_train_again(whole, data, interrupt, tmp_path, capfd, schedule):
    settings = pair(TINY, schedule=schedule)
    expected = whole(settings)
    interrupt(settings.settings.epochs)
    with pytest.raises(Interrupted):
        saved_training(settings, data, tmp_path)
    capfd.readouterr()
    assert saved_training(settings, data, tmp_path) == expected
    assert "Epoch" not in capfd.readouterr().out


def test_a_finished_training_trains_again_when_it_is_run_again(data, tmp_path, capfd):
    settings = pair(TINY, epochs=2)
    first = saved_training(settings, data, tmp_path)
    capfd.readouterr()
    assert saved_training(settings, data, tmp_path) == first
    assert "going on" not in capfd.readouterr().out


def test_a_damaged_checkpoint_is_not_used(whole, data, interrupt, tmp_path, capfd):
    settings = pair(TINY)
    interrupt(1)
    with pytest.raises(Interrupted):
        saved_training(settings, data, tmp_path)
    (path,) = (tmp_path / "checkpoints").glob("*.h5")
    content = path.read_bytes()
    (checkpoint,) = checkpoints(path.parent, settings, data)
    for place in range(0, len(content), len(content) // 300):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        for damaged in (flipped, content[:place]):
            path.write_bytes(damaged)
            assert checkpoint.load(model=None) == []  # a model that was touched would be an error
    assert saved_training(settings, data, tmp_path) == whole(settings)
    assert "damaged, so the training starts afresh" in capfd.readouterr().out
