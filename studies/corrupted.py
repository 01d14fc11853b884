"""Train a pair as the pipeline does and ask it about corrupted test images, to set it beside the exported model.

Reads:  data/csv/{train,test}.csv; params `dataset`, `datasets`, `architectures`, `trainings`
Writes: metrics/robustness/<architecture>-<training>.json
Run:    python -m robustness.pairs --architecture best --training best; `dvc repro robustness/dvc.yaml` runs all
"""

from functools import partial

from mnist import robustness
from mnist.core.errors import run
from mnist.core.files import write_json
from mnist.core.params import load_params
from mnist.core.paths import CHECKPOINTS, METRICS, TEST_CSV, TRAIN_CSV
from mnist.core.table import read_csv
from mnist.learning.backend import settings
from mnist.learning.model import predict
from mnist.learning.trial import pair_options, tried


@settings()
def main() -> None:
    """Train from seed 0, with a checkpoint of its own."""
    asked = pair_options("python -m robustness.pairs", "Train a pair and ask it about corrupted images.").parse_args()
    pair = load_params().pair(asked.architecture, asked.training)._replace(seed=0)
    name = f"{pair.architecture}-{pair.training}"
    with tried(pair, TRAIN_CSV, TEST_CSV, CHECKPOINTS / "robustness" / name) as (model, metrics):
        images, labels = read_csv(TEST_CSV, len(pair.classes), pair.shape)
        every = robustness.under_each(partial(predict, model), images, seed=0)
        found = robustness.summary([robustness.score(answers, labels) for answers in every])
        write_json(METRICS / f"robustness/{name}.json", {"accuracy": metrics["accuracy"]} | found)
    print(f"{name}: {found['corrupted_accuracy']:.2%} right on average, {metrics['accuracy']:.2%} without corruption")


if __name__ == "__main__":
    run(main)
