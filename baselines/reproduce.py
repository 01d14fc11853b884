"""Reproduce one published result: train its pair on all training images, test it, set it beside the publication.

Reads:  data/csv/{train,test}.csv; params `seed`, `dataset`, `architectures`, `trainings`, `baselines`
Writes: metrics/baselines/<key>.json
Run:    DVC_STAGE=reproduce@<key> python -m baselines.reproduce, as `dvc repro baselines/dvc.yaml` does
"""

import os
from pathlib import Path

from mnist.data.table import read_csv
from mnist.errors import PipelineError, run
from mnist.files import write_json
from mnist.learning.model import predict
from mnist.learning.training import train
from mnist.params import load_params, nearest
from mnist.scoring import score


def main() -> None:
    """Train as the main pipeline does, with the baseline's own checkpoint."""
    key, params = os.environ.get("DVC_STAGE", "").rpartition("@")[2], load_params()
    if key not in params.baselines:
        raise PipelineError(f"DVC_STAGE: expected a key of baselines, found '{key}'{nearest(key, params.baselines)}")
    pair = params.baselines[key]
    folder = Path("models/checkpoints/baselines", key)
    classes = params.chosen_dataset.classes
    images, labels = read_csv(Path("data/csv/train.csv"), len(classes))
    model, _, checkpoint = train(params, pair.architecture, pair.training, images, labels, folder)

    x_test, y_test = read_csv(Path("data/csv/test.csv"), len(classes))
    metrics = score(predict(model, x_test), y_test, classes)
    published = pair.published_accuracy
    result = {
        "accuracy": metrics["accuracy"],
        "loss": metrics["loss"],
        "parameters": model.count_params(),
        "published_accuracy": published,
        "published_loss": pair.published_loss,
        "difference": None if published is None else round(metrics["accuracy"] - published, 4),
    }
    write_json(Path(f"metrics/baselines/{key}.json"), result)
    checkpoint.finish(params.trainings[pair.training])
    print(
        f"{key}: test accuracy {metrics['accuracy']:.2%}, published {'?' if published is None else f'{published:.2%}'}"
    )


if __name__ == "__main__":
    run(main)
