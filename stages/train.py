"""Train stage: fit the recipe's network on the training table.

Reads:  data/csv/train.csv, datasets/; params `recipe`, `seed`, `dataset`, `train`, `model`
Writes: models/MNIST_keras_CNN.h5, metrics/train.json, metrics/history.csv (after each epoch)
Run:    python -m stages.train
"""

if not __package__:
    raise SystemExit("error: expected `python -m stages.train` in the project's folder, found a file that was run")

from mnist.core.errors import run_stage
from mnist.core.files import atomic, write_json, write_table
from mnist.core.params import load_dataset, load_recipe
from mnist.core.paths import CHECKPOINTS, HISTORY, METRICS, MODEL, TRAIN_CSV
from mnist.core.table import read_csv
from mnist.learning.backend import keras_session
from mnist.learning.checkpoint import History
from mnist.learning.model import hdf5
from mnist.learning.training import COLUMNS, training_run
from stages import inputs_of


@keras_session()
def main() -> None:
    """Train, going on from the last finished epoch where an earlier run was interrupted."""
    inputs = inputs_of("train")
    recipe = load_recipe()
    dataset = load_dataset(recipe.dataset)
    data = read_csv(TRAIN_CSV, len(dataset.classes), dataset.size)
    with training_run(recipe, dataset, data, CHECKPOINTS / "train", on_epoch=write_history) as (model, history):
        with atomic(MODEL) as scratch:
            scratch.write_bytes(hdf5(model))
            inputs.check()
        write_history(history)  # also where there was no epoch
        write_json(METRICS / "train.json", {"parameters": model.count_params()} | metrics_of(history))


def write_history(history: History) -> None:
    """Write a line for each epoch so far."""
    write_table(HISTORY, history, COLUMNS)


def metrics_of(history: History) -> dict[str, float]:
    """The last epoch's figures, under names that no other metrics file has; those of validation where there is one."""
    figures = history[-1] if history else {}
    names = {"loss": "train_loss", "accuracy": "train_accuracy", "val_loss": "val_loss", "val_accuracy": "val_accuracy"}
    return {new: figures[name] for name, new in names.items() if name in figures}


if __name__ == "__main__":
    run_stage(main)
