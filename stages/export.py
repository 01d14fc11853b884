"""Export stage: write the model in every chosen format and prove that each is the same model.

Reads:  models/MNIST_keras_CNN.h5, data/csv/, data/probabilities.npz, datasets/; all params
Writes: models/export/ (every format, about.json, a model card, a bill of materials, SHA256SUMS), metrics/export.csv
Run:    python -m stages.export
"""

if not __package__:
    raise SystemExit("error: expected `python -m stages.export` in the project's folder, found a file that was run")

from pathlib import Path

import numpy as np

import mnist_reader
from mnist.core.errors import run_stage
from mnist.core.evaluation import Evaluation, read_evaluation
from mnist.core.files import atomic, write_json, write_table
from mnist.core.inputs import check_trained
from mnist.core.params import load_dataset, load_recipe
from mnist.core.paths import EXPORT, METRICS, MODEL, PROBABILITIES, TEST_CSV, TRAIN_CSV
from mnist.core.sections import Dataset
from mnist.core.table import read_csv
from mnist.export import bom
from mnist.export.card import Facts, card, checksums
from mnist.export.formats import Format, chosen, refused_in_one_line
from mnist.export.proof import Proof, ask, digest, prove
from mnist.export.runtime import Source
from mnist.learning.backend import keras_session, quiet
from mnist.learning.feed import split
from mnist.learning.model import load_model
from mnist_reader.about import About
from stages import inputs_of

CALIBRATION = 100  # training images, evenly spaced, from which int8 takes its ranges


@keras_session()
def main() -> None:
    """Write every format to a scratch folder and compare each on the test images; then replace the old export."""
    inputs = inputs_of("export")
    check_trained()
    recipe = load_recipe()
    dataset = load_dataset(recipe.dataset)
    formats = chosen(recipe.export.formats)
    train, test = (read_csv(path, len(dataset.classes), dataset.size) for path in (TRAIN_CSV, TEST_CSV))
    evaluation = read_evaluation(PROBABILITIES, (len(test[0]), len(dataset.classes)))
    source = Source(load_model(MODEL), MODEL, evenly_spaced(train[0], CALIBRATION), what_it_is(dataset, evaluation))
    counts = [len(part) for part, _ in split(*train, recipe.train.validation_split)]
    facts = Facts(recipe, dataset, source, evaluation, test[1], *counts)
    with atomic(EXPORT) as folder:
        folder.mkdir()
        proofs = write_and_prove(formats, source, folder, test, evaluation.test)
        write_json(folder / "about.json", source.about._asdict())
        write_json(folder / bom.NAME, bom.bill(facts, folder))
        (folder / "README.md").write_text(card(facts, proofs, formats), encoding="utf-8")
        (folder / "SHA256SUMS").write_text(checksums(folder), encoding="utf-8")
        inputs.check()
    write_table(METRICS / "export.csv", proofs, Proof._fields)
    scores = evaluation.scores(test[1])
    print(f"{EXPORT}: {len(proofs)} files, each checked against the model; test accuracy {scores.accuracy:.2%}")


def write_and_prove(
    formats: dict[str, Format],
    source: Source,
    folder: Path,
    test: tuple[np.ndarray, np.ndarray],
    expected: np.ndarray,
) -> list[Proof]:
    """Write each format, load it in its own runtime, and compare its answers to the test images with the model's."""
    images, labels = test
    answers, proofs = {digest(source.model): expected}, []
    for name, form in formats.items():
        path = folder / form.file(source.about.version)
        with quiet(), refused_in_one_line(name):
            form.write(source, path)
            probabilities = ask(form.load(path, source), images, answers)
        proof = prove(name, path, probabilities, expected, labels, form.exact)
        proofs.append(proof)
        print(f"{EXPORT / path.name}: {proof.accuracy:.2%}, predictions changed: {proof.changed_predictions}")
    return proofs


def what_it_is(dataset: Dataset, evaluation: Evaluation) -> About:
    """What the exported files say about themselves."""
    classes, version = tuple(dataset.classes), mnist_reader.__version__
    return About(dataset.title, dataset.licence, classes, dataset.preparation, evaluation.threshold, version)


def evenly_spaced(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows."""
    return rows[:: max(1, len(rows) // count)][:count]


if __name__ == "__main__":
    run_stage(main)
