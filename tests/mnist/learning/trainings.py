"""Trainings of a tiny network on a few images."""

from mnist.learning.backend import keras
from mnist.learning.training import training_run
from tests.conftest import TINY, dataset_of, recipe_of

IMAGES = 72  # 54 of them to train on, in batches of 16 of which the last is short
STEPS = 4  # an epoch
DATASET = dataset_of()


def quick(model=TINY, seed=0, **train):
    """A recipe of three epochs that has all that a resumed training could get wrong."""
    augmentation = {"shift": 1.5, "rotation": 8.0, "zoom": 0.08}
    own = {"epochs": 3, "batch_size": 16, "validation_split": 0.25, "schedule": "one_cycle"}
    return recipe_of(model, seed, **own | {"augmentation": augmentation} | train)


def saved_training(recipe, data, folder, **arguments):
    """Train as the stage does; returns (bytes of the saved model, history)."""
    keras.utils.clear_session()
    with training_run(recipe, DATASET, data, folder / "checkpoints", **arguments) as (model, history):
        model.save(folder / "model.h5")
    return (folder / "model.h5").read_bytes(), history
