"""Train a recipe from one seed and test it, so that a result is the mean of several.

Reads:  data/csv/, or the tables of `python -m studies.tables`; recipes/NAME.yaml
Writes: studies/results/seeds/RECIPE-SEED.json
Run:    python -m studies.seeds fast 0; `cd studies && dvc repro seeds` runs fast, brisk and default
"""

from mnist.core.errors import run
from mnist.core.files import write_json
from mnist.learning.backend import keras_session
from studies.paths import RESULTS
from studies.trial import parse, recipe_named, trial


@keras_session()
def main() -> None:
    """Train as the pipeline does, with a checkpoint of its own."""
    asked = parse("studies.seeds", "Train a recipe from a seed and test it.", "recipe", "seed")
    recipe = recipe_named(asked.recipe, asked.seed)
    with trial(recipe, "seeds") as (_, scores):
        result = {"accuracy": scores.accuracy, "loss": scores.loss, "errors": scores.errors}
        write_json(RESULTS / f"seeds/{asked.recipe}-{asked.seed}.json", result)
    print(f"{asked.recipe}, seed {asked.seed}: test accuracy {scores.accuracy:.2%}", flush=True)


if __name__ == "__main__":
    run(main)
