"""Reproduce one published result: train its pair on all training images, test it, set it beside the publication.

Reads:  data/csv/{train,test}.csv; params `seed`, `dataset`, `datasets`, `architectures`, `trainings`, `baselines`
Writes: metrics/baselines/<its key>.json
Run:    python -m baselines.reproduce --architecture haque --training haque; `dvc repro baselines/dvc.yaml` runs all
"""

from mnist.core.errors import UserError, run
from mnist.core.files import write_json
from mnist.core.params import load_params
from mnist.core.paths import CHECKPOINTS, METRICS, TEST_CSV, TRAIN_CSV
from mnist.core.sections import Params
from mnist.learning.backend import settings
from mnist.learning.trial import pair_options, tried


@settings()
def main() -> None:
    """Train as the main pipeline does, with the baseline's own checkpoint."""
    params = load_params()
    key = chosen_key(params)
    baseline = params.baselines[key]
    pair = params.pair(baseline.architecture, baseline.training)
    with tried(pair, TRAIN_CSV, TEST_CSV, CHECKPOINTS / "baselines" / key) as (model, metrics):
        published = baseline.published_accuracy
        result = {
            "accuracy": metrics["accuracy"],
            "loss": metrics["loss"],
            "parameters": model.count_params(),
            "published_accuracy": published,
            "published_loss": baseline.published_loss,
            "difference": None if published is None else round(metrics["accuracy"] - published, 4),
        }
        write_json(METRICS / f"baselines/{key}.json", result)
    print(
        f"{key}: test accuracy {metrics['accuracy']:.2%}, published {'?' if published is None else f'{published:.2%}'}"
    )


def chosen_key(params: Params) -> str:
    """The baseline with the pair that the command line names; DVC gives a baseline's other fields too.

    Raises:
        UserError: no baseline has that pair.
    """
    asked, _ = pair_options("python -m baselines.reproduce", "Reproduce one published result.").parse_known_args()
    for key, baseline in params.baselines.items():
        if (baseline.architecture, baseline.training) == (asked.architecture, asked.training):
            return key
    raise UserError(f"baselines: expected one with {asked.architecture} and {asked.training}, found none")


if __name__ == "__main__":
    run(main)
