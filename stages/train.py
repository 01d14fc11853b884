"""Train stage: fit the chosen architecture on the training CSV.

Reads:  data/csv/train.csv; params `seed`, `dataset`, `architectures`, `trainings`
Writes: models/MNIST_keras_CNN.h5, metrics/train.json, metrics/history.csv
Run:    python -m stages.train
"""

import csv
from pathlib import Path

from mnist.data.table import read_csv
from mnist.errors import run
from mnist.files import atomic, write_json
from mnist.learning.training import HISTORY, split, train
from mnist.params import load_params


def main() -> None:
    """Train, going on from the last finished epoch where an earlier run was interrupted."""
    params = load_params()
    images, labels = read_csv(Path("data/csv/train.csv"), len(params.chosen_dataset.classes))
    folder = Path("models/checkpoints/train")
    model, history, checkpoint = train(params, params.architecture, params.training, images, labels, folder)

    with atomic(Path("models/MNIST_keras_CNN.h5")) as scratch:
        model.save(scratch)
    with atomic(Path("metrics/history.csv")) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, HISTORY, lineterminator="\n")
        table.writeheader()
        table.writerows(history)
    held_out = len(split(images, labels, params.chosen_training.validation_split)[1][0])
    counts = {"num_images": len(images) - held_out, "num_validation_images": held_out}
    last = {name: history[-1][name] for name in HISTORY if name in history[-1] and name != "learning_rate"}
    write_json(Path("metrics/train.json"), {"parameters": model.count_params(), **counts, **last})
    checkpoint.finish(params.chosen_training)


if __name__ == "__main__":
    run(main)
