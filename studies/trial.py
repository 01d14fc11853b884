"""Train a recipe and score it, without the pipeline."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from mnist.core.params import load_dataset, load_recipe
from mnist.core.paths import RECIPES
from mnist.core.scoring import Scores
from mnist.core.sections import Recipe
from mnist.learning.backend import keras
from mnist.learning.trial import train_and_score
from studies.paths import STUDIES, tables_of


def recipe_named(name: str, seed: int = 0) -> Recipe:
    """The recipe of this name, with this seed."""
    return load_recipe(RECIPES / f"{name}.yaml").model_copy(update={"seed": seed})


@contextmanager
def trial(recipe: Recipe, study: str) -> Iterator[tuple[keras.Model, Scores]]:
    """The trained model and its scores; write the results within, as with `training_run`.

    Args:
        study: has checkpoints of its own.
    """
    train_csv, test_csv = tables_of(recipe.dataset)
    checkpoints = STUDIES / f"{study}-{recipe.recipe}-{recipe.seed}"
    with train_and_score(recipe, load_dataset(recipe.dataset), train_csv, test_csv, checkpoints) as (model, scores):
        yield model, scores


def parse(module: str, about: str, *names: str) -> argparse.Namespace:
    """A command line of positional arguments."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    for name in names:
        parser.add_argument(name, type=int if name == "seed" else str)
    return parser.parse_args()
