"""Reproduce a published result: train its recipe on all training images, test it, set it beside the publication.

Reads:  data/csv/, recipes/NAME.yaml
Writes: studies/results/published/NAME.json
Run:    python -m studies.published haque; `cd studies && dvc repro published` runs all
"""

from mnist.core.errors import UserError, run
from mnist.core.files import write_json
from mnist.learning.backend import keras_session
from studies.paths import RESULTS
from studies.trial import parse, recipe_named, trial


@keras_session()
def main() -> None:
    """Train as the pipeline does, with the published system's own checkpoint."""
    name = parse("studies.published", "Reproduce a published result.", "name").name
    recipe = recipe_named(name)
    if recipe.published is None:
        raise UserError(f"recipes/{name}.yaml: published: expected a published result, found none")
    published = recipe.published.accuracy
    with trial(recipe, "published") as (model, scores):
        result = {"accuracy": scores.accuracy, "loss": scores.loss, "parameters": model.count_params()}
        write_json(RESULTS / f"published/{name}.json", result | {"published_accuracy": published})
    print(f"{name}: test accuracy {scores.accuracy:.2%}, published {'?' if published is None else f'{published:.2%}'}")


if __name__ == "__main__":
    run(main)
