"""A damaged checkpoint is never gone on from: the training starts afresh, and says so."""

import numpy as np
import pytest

from mnist.learning.checkpoint import Checkpoint
from tests.conftest import dataset_of, recipe_of
from tests.fuzz.damage import damaged

pytestmark = pytest.mark.slow


def test_a_damaged_checkpoint_changes_nothing_in_the_model(tiny_model, tmp_path, capsys):
    data = np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)
    checkpoint = Checkpoint(tmp_path, recipe_of(), dataset_of(), data)
    checkpoint.save(tiny_model, [{"epoch": 1}])
    whole, weights = checkpoint.path.read_bytes(), tiny_model.get_weights()
    assert checkpoint.load(tiny_model) == [{"epoch": 1}]
    capsys.readouterr()
    cut = [whole[:place] for place in range(0, len(whole), len(whole) // 50)]
    for content in [*damaged(whole, "checkpoint"), *cut]:
        checkpoint.path.write_bytes(content)
        if content != whole:
            assert checkpoint.load(tiny_model) == []
            assert "damaged, so the training starts afresh" in capsys.readouterr().out
    assert all(np.array_equal(a, b) for a, b in zip(weights, tiny_model.get_weights(), strict=True))
