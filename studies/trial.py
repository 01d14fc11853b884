"""Train a recipe and score it, without the pipeline."""

import argparse
from contextlib import AbstractContextManager

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


def trial(recipe: Recipe, study: str) -> AbstractContextManager[tuple[keras.Model, Scores]]:
    """The trained model and its scores, as `train_and_score` gives them; each study has checkpoints of its own."""
    checkpoints = STUDIES / f"{study}-{recipe.recipe}-{recipe.seed}"
    return train_and_score(recipe, load_dataset(recipe.dataset), *tables_of(recipe.dataset), checkpoints)


def parse(module: str, about: str, *names: str) -> argparse.Namespace:
    """A command line of positional arguments."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    for name in names:
        parser.add_argument(name, type=int if name == "seed" else str)
    return parser.parse_args()
