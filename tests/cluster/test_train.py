"""One training in several processes: cluster.train with the real Dask, stages.train with the real JAX."""

import re

import pytest

from tests.clones import digest, read_json
from tests.cluster.engines import until, working

pytestmark = pytest.mark.slow


@pytest.fixture
def clone(reproduced, tmp_path):
    """A clone with its tables, set to a few epochs and distortions."""
    clone = reproduced.copy(tmp_path)
    clone.edit(lambda params: params["trainings"]["quick"].update(epochs=4, augmentation={"shift": 1.0}))
    return clone


def accuracies(output):
    return re.findall(r"accuracy: [\d.]+ - loss: [\d.]+ - val_accuracy: [\d.]+ - val_loss: [\d.]+", output)


def test_two_processes_train_one_model_which_loads_under_tensorflow(clone):
    output = clone.run("python", "-m", "cluster.train", "--processes", "2")
    assert len(accuracies(output)) == 4
    trained, model = read_json(clone, "metrics/train.json"), digest(clone)
    assert trained["val_accuracy"] > 0.8
    clone.run("dvc", "commit", "--force", "train")
    clone.run("dvc", "repro")
    assert digest(clone) == model  # evaluated and exported as it is, by TensorFlow
    assert read_json(clone, "metrics/evaluate.json")["accuracy"] > 0.8
    count = "from pathlib import Path; from mnist.learning.model import load_model; "
    count += "print(int(load_model(Path('models/MNIST_keras_CNN.h5')).optimizer.iterations))"
    steps = -(-trained["num_images"] // 16) * 4
    assert clone.run("python", "-c", count).split()[-1] == str(steps)


def test_a_killed_process_ends_the_training_which_then_goes_on(clone):
    process = clone.start("python", "-m", "cluster.train", "--processes", "2")
    checkpoints = clone.folder / "models/checkpoints/train"
    until(lambda: list(checkpoints.glob("*.weights.h5")))
    working(process.pid, "stages.train")[0].kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1, errors
    output = clone.run("python", "-m", "cluster.train", "--processes", "2")
    assert re.search(r"going on after epoch \d of 4", output)
    assert not list(checkpoints.glob("*.weights.h5"))
    resumed = digest(clone)
    clone.run("python", "-m", "cluster.train", "--processes", "2")
    assert digest(clone) == resumed


def test_a_batch_that_cannot_be_shared_is_said_in_one_line(clone):
    clone.edit(lambda params: params["trainings"]["quick"].update(batch_size=15))
    process = clone.start("python", "-m", "cluster.train", "--processes", "2")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    expected = "error: params.yaml: trainings.quick.batch_size: expected a multiple of the 2 processes, found 15\n"
    assert errors == expected
