"""Each exported format in its own runtime: images a second in batches, and how long a single image takes.

Reads:  models/MNIST_keras_CNN.h5, models/export/, data/csv/test.csv, params.yaml
Writes: benchmarks/inference.json
Run:    python -m benchmarks.inference
"""

import time
from functools import partial
from statistics import median

from benchmarks.report import report
from mnist.core.errors import run
from mnist.core.files import read_json
from mnist.core.params import load_recipe
from mnist.core.paths import EXPORT, MODEL, TEST_CSV
from mnist.core.table import read_csv
from mnist.export.formats import FORMATS
from mnist.export.runtime import Images, Predict, Source
from mnist.learning.backend import keras, keras_session
from mnist.learning.model import load_model, predict
from mnist_reader.about import About

BULK_ROUNDS, SINGLE_ROUNDS = 5, 50


@keras_session()
def main() -> None:
    """Formats take turns in the bulk rounds; the medians count."""
    images, _ = read_csv(TEST_CSV)
    source = Source(load_model(MODEL), MODEL, images[:0], About(**read_json(EXPORT / "about.json")))
    runtimes = {name: runtime(name, source) for name in load_recipe().export.formats}
    for ask in runtimes.values():  # tracing and allocation, not counted
        ask(images)
    bulk = [{name: seconds(ask, images) for name, ask in runtimes.items()} for _ in range(BULK_ROUNDS)]
    for ask in runtimes.values():
        ask(images[:1])
    rows = []
    for name, ask in runtimes.items():
        single = median(seconds(ask, images[i : i + 1]) for i in range(SINGLE_ROUNDS))
        row = {"format": name, "images_per_second": len(images) / median(turn[name] for turn in bulk)}
        rows.append(row | {"single_image_milliseconds": 1000 * single})
    report("inference", rows)


def runtime(name: str, source: Source) -> Predict:
    """The format's file, loaded."""
    loaded = FORMATS[name].load(EXPORT / FORMATS[name].file(source.about.version), source)
    return partial(predict, loaded) if isinstance(loaded, keras.Model) else loaded


def seconds(ask: Predict, images: Images) -> float:
    """How long the prediction of these images takes."""
    start = time.perf_counter()
    ask(images)
    return time.perf_counter() - start


if __name__ == "__main__":
    run(main)
