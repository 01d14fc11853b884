"""Which part of the images a process takes, and what its environment may say."""

import numpy as np
import pytest

from mnist.core.params import load_params
from mnist.core.sections import Augmentation, Training
from mnist.learning.checkpoint import checkpoints, key
from mnist.learning.distribution import NAMES, DistributionError, Process, process, together
from mnist.learning.feed import feed, in_order
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

IMAGES = np.tile(np.arange(50, dtype=np.uint8)[:, None, None], (1, 28, 28))
LABELS = np.arange(50, dtype=np.uint8)
SETTINGS = {"epochs": 2, "batch_size": 12, "optimizer": {"Adam": {}}, "learning_rate": 0.01}


def be(monkeypatch, number, processes):
    for name, value in zip(NAMES, ("127.0.0.1:1", str(processes), str(number)), strict=True):
        monkeypatch.setenv(name, value)


def batches(augmentation=None):
    settings = Training.model_validate(SETTINGS | {"augmentation": augmentation or Augmentation()})
    return [(x.numpy(), y.numpy()) for x, y in feed([(IMAGES, LABELS)], 50, settings, 0, 0)]


def test_a_process_is_alone_without_the_variables(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    assert process() == Process(0, 1)
    assert process().writes


@pytest.mark.parametrize("processes", [2, 3])
def test_the_shares_of_all_processes_make_the_batches_of_one(monkeypatch, processes):
    alone = [labels.tolist() for _, labels in batches()]
    shares = []
    for number in range(processes):
        be(monkeypatch, number, processes)
        shares.append([labels.tolist() for _, labels in batches()])
    sizes = [len(part) for part in shares[0]]
    assert all([len(part) for part in share] == sizes for share in shares)
    found = [[label for part in parts for label in part] for parts in zip(*shares, strict=True)]
    assert sum(map(len, found)) == 2 * (50 - 50 % processes)
    whole = [batch for batch in alone if len(batch) == 12]  # the short last one of an epoch may be cut
    assert [batch for batch in found if len(batch) == 12] == whole


def test_each_process_distorts_in_its_own_way(monkeypatch):
    shift = Augmentation(shift=5)
    be(monkeypatch, 0, 2)
    first = batches(shift)
    be(monkeypatch, 1, 2)
    second = batches(shift)
    empty = [[(image > 0).tolist() for image in x] for x in (first[0][0], second[0][0])]
    assert empty[0] != empty[1]


def test_what_is_held_out_is_shared_as_well(monkeypatch):
    settings = Training.model_validate(SETTINGS)
    found = []
    for number in range(3):
        be(monkeypatch, number, 3)
        found += [label for _, y in in_order((IMAGES, LABELS), 50, settings) for label in y.numpy().tolist()]
    assert sorted(found) == list(range(48))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({NAMES[1]: "2"}, "KERAS_DISTRIBUTION_NUM_PROCESSES=2"),
        (dict(zip(NAMES, ("host:1", "2", "2"), strict=True)), "less than the second"),
        (dict(zip(NAMES, ("host:1", "two", "0"), strict=True)), "NUM_PROCESSES=two"),
    ],
)
def test_variables_that_do_not_fit_are_named(monkeypatch, values, words):
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DistributionError, match=words):
        process()


def test_tensorflow_does_not_train_in_several_processes(monkeypatch):
    be(monkeypatch, 0, 2)
    with pytest.raises(DistributionError, match="KERAS_BACKEND: expected jax"), together():
        pass


def test_a_checkpoint_belongs_to_a_number_of_processes_and_only_the_first_clears_up(monkeypatch, tmp_path):
    pair = load_params(ROOT / "params.yaml").pair()
    alone = key(pair, (IMAGES, LABELS))
    (tmp_path / "old").touch()
    be(monkeypatch, 1, 2)
    assert key(pair, (IMAGES, LABELS)) != alone
    checkpoints(tmp_path, pair, (IMAGES, LABELS))
    assert (tmp_path / "old").exists()
    be(monkeypatch, 0, 2)
    checkpoints(tmp_path, pair, (IMAGES, LABELS))
    assert not (tmp_path / "old").exists()
