"""Train a pair from one seed and test it, so that a result is the mean of several.

The networks of an ensemble are tested as well, where their training alone is one of params.yaml.

Reads:  data/csv/{train,test}.csv, or those of data/seeds/<data set>/; params `dataset`, `datasets`, `architectures`,
        `trainings`
Writes: metrics/seeds/<architecture>-<training>-<seed>.json; a data set that is not the chosen one comes first
Run:    python -m seeds.repeat --architecture fast --training fast --seed 0; `dvc repro seeds/dvc.yaml` runs them all
"""

import argparse
from collections.abc import Iterator
from typing import Any

from mnist.core.errors import run
from mnist.core.files import write_json
from mnist.core.params import load_params
from mnist.core.paths import CHECKPOINTS, METRICS, OTHER_TABLES, TEST_CSV, TRAIN_CSV
from mnist.core.sections import Pair, Training
from mnist.learning.backend import keras, settings
from mnist.learning.ensemble import networks
from mnist.learning.trial import pair_options, tested, tried

KEPT = ("accuracy", "accuracy_low", "accuracy_high", "loss", "num_errors", "num_images")


@settings()
def main() -> None:
    """Train as the main pipeline does, with a checkpoint of its own."""
    asked, params = parse(), load_params()
    prefix, train_csv, test_csv = "", TRAIN_CSV, TEST_CSV
    if asked.dataset:
        params, prefix = params.model_copy(update={"dataset": asked.dataset}), f"{asked.dataset}-"
        train_csv, test_csv = (OTHER_TABLES / asked.dataset / table for table in ("train.csv", "test.csv"))
    pair = params.pair(asked.architecture, asked.training)._replace(seed=asked.seed)
    with tried(pair, train_csv, test_csv, CHECKPOINTS / "seeds" / f"{prefix}{name(pair)}") as (model, metrics):
        for part, network in parts(pair, model, params.trainings):
            write(f"{prefix}{name(part)}", tested(network, part, test_csv))
        write(f"{prefix}{name(pair)}", metrics)


def name(pair: Pair) -> str:
    """What its results are called."""
    return f"{pair.architecture}-{pair.training}-{pair.seed}"


def parts(pair: Pair, model: keras.Model, trainings: dict[str, Training]) -> Iterator[tuple[Pair, keras.Model]]:
    """The networks of an ensemble, each with the pair that gives it alone, if its training has a name."""
    for part, network in zip(pair.members(), networks(model), strict=False):
        for training, known in trainings.items():
            if known == part.settings:
                yield part._replace(training=training), network


def write(name: str, metrics: dict[str, Any]) -> None:
    """Write the figures of one model."""
    write_json(METRICS / f"seeds/{name}.json", {figure: metrics[figure] for figure in KEPT})
    print(f"{name}: test accuracy {metrics['accuracy']:.2%}", flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = pair_options("python -m seeds.repeat", "Train and test a pair from a seed.")
    parser.add_argument("--dataset", help="a key of datasets; left out, the chosen one")
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
