"""Train stage: fit the chosen architecture on the training CSV.

Reads:  data/csv/train.csv; params `seed`, `dataset`, `architectures`, `trainings`
Writes: models/MNIST_keras_CNN.h5, metrics/train.json, metrics/history.csv
Run:    python -m stages.train
"""

from pathlib import Path

import pandas as pd

from stages.lib import checkpoint, training
from stages.lib.architecture import build
from stages.lib.backend import make_deterministic
from stages.lib.errors import run
from stages.lib.files import atomic, write_json
from stages.lib.params import load_params
from stages.lib.table import read_csv


def main() -> None:
    """Train, going on from the last finished epoch where an earlier run was interrupted."""
    params = load_params()
    settings = params.chosen_training
    images, labels = read_csv(Path("data/csv/train.csv"))
    make_deterministic(params.seed)
    model = build(params.architecture, params.layers, len(params.chosen_dataset.classes))
    key = checkpoint.key(params.layers, settings, params.seed, images, labels)
    resumable = checkpoint.Checkpoint(Path("models/checkpoints/train"), key)
    history = training.fit(model, params.training, settings, params.seed, images, labels, resumable)

    with atomic(Path("models/MNIST_keras_CNN.h5")) as scratch:
        model.save(scratch)
    with atomic(Path("metrics/history.csv")) as scratch:
        pd.DataFrame(history, columns=training.HISTORY).to_csv(scratch, index=False, lineterminator="\n")
    last = {name: value for name, value in history[-1].items() if name != "learning_rate"}
    write_json(Path("metrics/train.json"), {"parameters": model.count_params(), "num_images": len(images), **last})
    resumable.finish(settings)


if __name__ == "__main__":
    run(main)
