"""Train a pair from one seed and test it, so that a result is the mean of several.

Reads:  data/csv/{train,test}.csv, or those of data/seeds/<data set>/; params `dataset`, `datasets`, `architectures`,
        `trainings`
Writes: metrics/seeds/<architecture>-<training>-<seed>.json; a data set that is not the chosen one comes first
Run:    python -m seeds.repeat --architecture fast --training fast --seed 0; `dvc repro seeds/dvc.yaml` runs them all
"""

import argparse

from mnist.errors import run
from mnist.files import write_json
from mnist.learning.backend import settings
from mnist.learning.trial import tried
from mnist.params import load_params
from mnist.paths import CHECKPOINTS, METRICS, OTHER_TABLES, TEST_CSV, TRAIN_CSV

KEPT = ("accuracy", "accuracy_low", "accuracy_high", "loss", "num_errors", "num_images")


@settings()
def main() -> None:
    """Train as the main pipeline does, with a checkpoint of its own."""
    asked, params = parse(), load_params()
    name, train_csv, test_csv = f"{asked.architecture}-{asked.training}-{asked.seed}", TRAIN_CSV, TEST_CSV
    if asked.dataset:
        params, name = params.model_copy(update={"dataset": asked.dataset}), f"{asked.dataset}-{name}"
        train_csv, test_csv = (OTHER_TABLES / asked.dataset / table for table in ("train.csv", "test.csv"))
    pair = params.pair(asked.architecture, asked.training)._replace(seed=asked.seed)
    with tried(pair, train_csv, test_csv, CHECKPOINTS / "seeds" / name) as (_, metrics):
        write_json(METRICS / f"seeds/{name}.json", {figure: metrics[figure] for figure in KEPT})
    print(f"{name}: test accuracy {metrics['accuracy']:.2%}")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m seeds.repeat", description="Train and test a pair from a seed.")
    parser.add_argument("--dataset", help="a key of datasets; left out, the chosen one")
    parser.add_argument("--architecture", required=True, help="a key of architectures")
    parser.add_argument("--training", required=True, help="a key of trainings")
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
