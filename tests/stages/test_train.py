"""The train stage: model, metrics and the history, which is written while it trains."""

import csv
from pathlib import Path

import keras
import pytest

from mnist.core.errors import UserError
from mnist.core.files import read_json
from stages import train
from tests.conftest import TINY, recipe_of, write_params

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(project):
    """Two epochs of the tiny network."""
    content = recipe_of(TINY, epochs=2, validation_split=0.1).model_dump() | {"dataset": "mnist"}
    write_params(project, content)
    (project / "models/MNIST_keras_CNN.h5").unlink()
    return content


def rows(project):
    with (project / "metrics/history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_model_its_metrics_and_the_history_are_written(project, recipe, real_digits):
    train.main()
    model = keras.models.load_model(project / "models/MNIST_keras_CNN.h5")
    found, (_, last) = read_json(project / "metrics/train.json"), rows(project)
    assert found == {
        "parameters": model.count_params(),
        "train_loss": float(last["loss"]),
        "train_accuracy": float(last["accuracy"]),
        "val_loss": float(last["val_loss"]),
        "val_accuracy": float(last["val_accuracy"]),
    }
    answers = model.predict(real_digits[0][54:60, ..., None] / 255, verbose=0).argmax(axis=1)
    assert found["val_accuracy"] == pytest.approx((answers == real_digits[1][54:60]).mean())


def test_without_a_validation_part_there_are_no_figures_of_it(project, recipe):
    recipe["train"]["validation_split"] = 0.0
    write_params(project, recipe)
    train.main()
    assert read_json(project / "metrics/train.json").keys() == {"parameters", "train_loss", "train_accuracy"}
    assert [(row["epoch"], row["val_loss"]) for row in rows(project)] == [("1", ""), ("2", "")]


def test_a_training_on_a_full_disk_keeps_its_history_and_goes_on_when_there_is_room(
    project, recipe, monkeypatch, capfd
):
    write, written = Path.write_bytes, []

    def write_once(path, content):
        written.append(path)
        if len(written) > 1:
            raise OSError(28, "No space left on device")
        return write(path, content)

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write_once)
        with pytest.raises(OSError, match="No space left") as error:
            train.main()
    assert error.value.filename.startswith("models/checkpoints/train/")
    assert [row["epoch"] for row in rows(project)] == ["1"]
    train.main()
    assert "going on after epoch 1 of 2" in capfd.readouterr().out
    assert [row["epoch"] for row in rows(project)] == ["1", "2"]


LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from mnist.core.errors import run
from stages.train import main
run(main)
"""


def test_a_limit_on_the_size_of_files_is_said_in_one_line(project, recipe, run_module):
    done = run_module("-c", LIMITED)
    assert done.returncode == 1, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.endswith("MNIST_keras_CNN.h5: File too large") or ".npz: File too large" in line
    assert not (project / "models/MNIST_keras_CNN.h5").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": [{"Dens": {"units": 3}}]}, r"params\.yaml: model\.0\.Dens: .*; did you mean 'Dense'\?"),
        ({"dataset": "minst"}, r"params\.yaml: dataset: expected a file of datasets/.*; did you mean 'mnist'\?"),
        ({"dataset": "three"}, r"data/csv/train\.csv: expected labels 0 to 2, found 9"),
    ],
    ids=["layer", "data set", "labels"],
)
def test_a_mistake_is_one_line_and_nothing_is_written(project, recipe, change, words):
    three = (project / "datasets/mnist.yaml").read_text().replace('"2", "3", "4", "5", "6", "7", "8", "9"]', '"2"]')
    (project / "datasets/three.yaml").write_text(three)
    write_params(project, recipe | change)
    with pytest.raises(UserError, match=f"^{words}$"):
        train.main()
    assert not (project / "metrics").exists() and not list((project / "models").glob("*.h5"))
