"""Export stage: write the model in every chosen format and prove that each is the same model.

Reads:  models/MNIST_keras_CNN.h5, data/csv/{train,test}.csv, data/probabilities.npy, metrics/{train,evaluate}.json,
        pyproject.toml (the release's version); params `export`, `dataset`, `datasets` and, for the card, `seed`,
        `architecture`, `architectures`, `training`, `trainings`
Writes: models/export/ (every format, about.json, a model card, a bill of materials, SHA256SUMS), metrics/export.json
Run:    python -m stages.export
"""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mnist.core.errors import first_line, run_stage
from mnist.core.files import atomic, read_json, require_room, size, write_json
from mnist.core.params import load_params
from mnist.core.paths import EXPORT, METRICS, MODEL, PROBABILITIES, TEST_CSV, TRAIN_CSV
from mnist.core.sections import Params
from mnist.core.table import read_csv
from mnist.export import bom
from mnist.export.card import card, checksums
from mnist.export.formats import FormatError, chosen
from mnist.export.proof import ask, check, compare, digest, read_probabilities
from mnist.export.runtime import Source
from mnist.learning.backend import quiet, settings
from mnist.learning.model import load_model
from mnist_reader.about import About

PROJECT = Path("pyproject.toml")
CALIBRATION = 100  # training images, evenly spaced, from which int8 takes its ranges


@settings()
def main() -> None:
    """Write every format to a scratch folder and compare each on the test images; then replace the old export."""
    params = load_params()
    require_room(EXPORT.parent, 5 * size(MODEL))  # all formats together take less than four times the model
    formats, classes, shape = chosen(params.export.formats), len(params.pair().classes), params.pair().shape
    trained, metrics = read_json(METRICS / "train.json"), read_json(METRICS / "evaluate.json")
    about = what_it_is(params, metrics["unsure"]["threshold"])
    source = Source(load_model(MODEL), MODEL, evenly_spaced(read_csv(TRAIN_CSV, classes, shape)[0], CALIBRATION), about)
    x_test, y_test = read_csv(TEST_CSV, classes, shape)
    expected = read_probabilities(PROBABILITIES, (len(x_test), classes))
    answers = {digest(source.model): expected}
    report: dict[str, dict[str, Any]] = {}
    with atomic(EXPORT) as folder:
        folder.mkdir()
        for name, form in formats.items():
            path = folder / form.file(about.version)
            with quiet(), refused_in_one_line(name):
                form.write(source, path)
                found = ask(form.load(path, source), x_test, answers)
            result = compare(found, expected, y_test)
            check(EXPORT / path.name, result, expected, y_test, form.exact)
            report[name] = {"file": path.name, "bytes": size(path)} | result
            changed = result["changed_predictions"]
            print(f"{EXPORT / path.name}: {result['accuracy']:.2%}, predictions changed: {changed}")
        write_json(folder / "about.json", about._asdict())
        write_json(folder / bom.NAME, bom.bill(params, trained, metrics, MODEL, folder, about))
        (folder / "README.md").write_text(card(params, trained, metrics, report, formats, about), encoding="utf-8")
        (folder / "SHA256SUMS").write_text(checksums(folder), encoding="utf-8")
    write_json(METRICS / "export.json", report)


def what_it_is(params: Params, threshold: float) -> About:
    """What the exported files say about themselves."""
    dataset, version = params.chosen_dataset, tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"]
    return About(dataset.title, dataset.licence, tuple(dataset.classes), dataset.preparation, threshold, version)


@contextmanager
def refused_in_one_line(name: str) -> Iterator[None]:
    """Raise FormatError for whatever a converter or a runtime makes of a model that it does not know."""
    try:
        yield
    except OSError:  # about the disk
        raise
    except Exception as error:
        raise FormatError(
            f"params.yaml: export.formats: expected formats that hold this model, found {name} (leave it out, or "
            f"change the architecture): {first_line(error)}"
        ) from None


def evenly_spaced(rows: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of the rows."""
    return rows[:: max(1, len(rows) // count)][:count]


if __name__ == "__main__":
    run_stage(main)
