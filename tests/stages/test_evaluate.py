"""The evaluate stage: what it writes, and the models that it refuses."""

import csv

import numpy as np
import pytest

from mnist.core.files import read_json
from mnist.learning.fonts import HELD_OUT
from mnist.learning.model import ModelError
from mnist.learning.out_of_class import KINDS, Examples, out_of_class
from stages import evaluate
from tests.digits import TRAIN

pytestmark = pytest.mark.slow


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_metrics_and_tables_are_those_of_the_answers(project, tiny_model, real_digits, capsys):
    evaluate.main()
    labels, metrics = real_digits[1][TRAIN:], project / "metrics"
    with np.load(project / "data/probabilities.npz") as file:
        answers = dict(file)
    expected = tiny_model.predict(real_digits[0][..., None] / np.float32(255), verbose=0)
    np.testing.assert_allclose(answers["test"], expected[TRAIN:], atol=1e-6)
    np.testing.assert_allclose(answers["held_out"], expected[54:60], atol=1e-6)  # of 60 images
    examples = Examples(*(part[54:60] for part in real_digits), list("0123456789"), HELD_OUT)  # fonts not trained on
    letters = out_of_class(250, examples, 1, ["letters"])[..., None] / np.float32(255)
    np.testing.assert_allclose(answers["letters"], tiny_model.predict(letters, verbose=0), atol=1e-6)
    found, right = read_json(metrics / "evaluate.json"), answers["test"].argmax(axis=1) == labels
    names = ["accuracy", "accuracy_low", "accuracy_high", "loss", "errors", "calibration_error", "unsure"]
    assert list(found) == [*names, "sure_and_wrong"]
    assert (found["accuracy"], found["errors"]) == (right.mean(), (~right).sum())
    unsure = answers["test"].max(axis=1) < np.quantile(answers["held_out"].max(axis=1), 0.009)
    assert (found["unsure"], found["sure_and_wrong"]) == (unsure.mean(), (~unsure & ~right).mean())
    predictions = [(row["actual"], row["predicted"]) for row in table(metrics / "predictions.csv")]
    assert predictions == [(str(a), str(b)) for a, b in zip(labels, answers["test"].argmax(axis=1), strict=True)]
    assert [row["name"] for row in table(metrics / "classes.csv")] == list("0123456789")
    assert [row["kind"] for row in table(metrics / "out_of_class.csv")] == list(KINDS)
    assert {kind: len(answers[kind]) for kind in KINDS} == dict.fromkeys(KINDS, 250)
    assert {path.name for path in (metrics / "plots").iterdir()} == {"confusion.png", "misclassified.png"}
    assert f"test accuracy {right.mean():.2%}" in capsys.readouterr().out


def eleven_classes(project, monkeypatch):
    path = project / "datasets/mnist.yaml"
    path.write_text(path.read_text().replace('"9"]', '"9", "ten"]'))


def no_numbers(project, monkeypatch):
    monkeypatch.setattr(evaluate, "predict", lambda model, images: np.full((len(images), 10), np.nan))


def logits(project, monkeypatch):
    monkeypatch.setattr(evaluate, "predict", lambda model, images: np.full((len(images), 10), 0.5))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (eleven_classes, r"expected \(None, 28, 28, 1\) → \(None, 11\), found \(None, 28, 28, 1\) → \(None, 10\)"),
        (no_numbers, "expected probabilities, found sums such as nan"),
        (logits, r"expected probabilities, found sums such as 5\.0"),
        (lambda project, _: (project / "models/MNIST_keras_CNN.h5").unlink(), "found no such file; run `dvc repro`"),
        (lambda project, _: (project / "models/MNIST_keras_CNN.h5").write_bytes(b"x"), "expected a Keras model"),
    ],
    ids=["of other classes", "no numbers", "logits", "missing", "no model"],
)
def test_a_model_that_cannot_be_scored_is_refused_and_nothing_is_written(project, monkeypatch, damage, words):
    damage(project, monkeypatch)
    with pytest.raises(ModelError, match=rf"^models/MNIST_keras_CNN\.h5: [^\n]*{words}[^\n]*$"):
        evaluate.main()
    assert not (project / "metrics").exists()
