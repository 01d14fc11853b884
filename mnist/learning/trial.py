"""Train a pair that the command line names and test it, without the pipeline."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist.core.scoring import score
from mnist.core.sections import Pair
from mnist.core.table import read_csv
from mnist.learning.backend import keras
from mnist.learning.ensemble import trained
from mnist.learning.model import predict


def pair_options(program: str, about: str) -> argparse.ArgumentParser:
    """A command line that names a pair."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--architecture", required=True, help="a key of architectures")
    parser.add_argument("--training", required=True, help="a key of trainings")
    return parser


@contextmanager
def tried(
    pair: Pair, train_csv: Path, test_csv: Path, checkpoints: Path
) -> Iterator[tuple[keras.Model, dict[str, Any]]]:
    """Train a pair on one table and score it on another; write the results within, as with `trained`.

    Yields:
        The compiled model, and what `score` says of it.
    """
    with trained(pair, read_csv(train_csv, len(pair.classes), pair.shape), checkpoints) as (model, _):
        yield model, tested(model, pair, test_csv)


def tested(model: keras.Model, pair: Pair, test_csv: Path) -> dict[str, Any]:
    """What `score` says of a pair's model."""
    images, labels = read_csv(test_csv, len(pair.classes), pair.shape)
    return score(predict(model, images), labels, pair.classes)
