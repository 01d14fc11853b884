"""Train stage: fit the chosen architecture on the training CSV.

Reads:  data/csv/train.csv; a file in models/initial/, if the training names one; params `seed`, `architecture`,
        `architectures`, `training`, `trainings`, `dataset`, `datasets`
Writes: models/MNIST_keras_CNN.h5, metrics/train.json, metrics/history.csv
Run:    python -m stages.train
"""

import csv

from mnist.core.errors import run_stage
from mnist.core.files import atomic, require_room, write_json
from mnist.core.params import load_params
from mnist.core.paths import CHECKPOINTS, HISTORY, METRICS, MODEL, TRAIN_CSV
from mnist.core.table import read_csv
from mnist.learning.backend import settings
from mnist.learning.checkpoint import History, bytes_of
from mnist.learning.distribution import apart, process, together
from mnist.learning.ensemble import trained
from mnist.learning.feed import split
from mnist.learning.training import COLUMNS


@settings()
def main() -> None:
    """Train, going on from the last finished epoch where an earlier run was interrupted."""
    pair = load_params().pair()
    data = read_csv(TRAIN_CSV, len(pair.classes), pair.shape)
    with together(), trained(pair, data, CHECKPOINTS / "train") as (model, history):
        if not process().writes:
            return
        require_room(MODEL.parent, bytes_of(model))
        with atomic(MODEL) as scratch, apart():
            model.save(scratch)
        write_history(history)
        held_out = len(split(*data, pair.settings.validation_split)[1][0])
        counts = {"num_images": len(data[0]) - held_out, "num_validation_images": held_out}
        last = {name: history[-1][name] for name in COLUMNS if name in history[-1] and name != "learning_rate"}
        write_json(METRICS / "train.json", {"parameters": model.count_params(), **counts, **last})


def write_history(history: History) -> None:
    """Write a line for each epoch."""
    with atomic(HISTORY) as scratch, scratch.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(history)


if __name__ == "__main__":
    run_stage(main)
