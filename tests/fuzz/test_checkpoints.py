"""A damaged checkpoint is never gone on from: the training starts afresh, and says so."""

import numpy as np
import pytest

from mnist.core.params import load_params
from mnist.learning.checkpoint import checkpoints
from tests.conftest import ROOT
from tests.fuzz.damage import damaged

pytestmark = pytest.mark.slow


def test_a_damaged_checkpoint_changes_nothing_in_the_model(tiny_model, tmp_path, capsys):
    pair = load_params(ROOT / "params.yaml").pair()
    (checkpoint,) = checkpoints(tmp_path, pair, (np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)))
    checkpoint.save(tiny_model, [{"epoch": 1}])
    whole, weights = checkpoint.path.read_bytes(), tiny_model.get_weights()
    assert checkpoint.load(tiny_model) == [{"epoch": 1}]
    capsys.readouterr()
    for content in damaged(whole, "checkpoint"):
        checkpoint.path.write_bytes(content)
        if content != whole:
            assert checkpoint.load(tiny_model) == []
            assert "damaged, so the training starts afresh" in capsys.readouterr().out
    assert all(np.array_equal(a, b) for a, b in zip(weights, tiny_model.get_weights(), strict=True))
