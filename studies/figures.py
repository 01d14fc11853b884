"""Published and reproduced accuracies, and images with a model's answers, drawn."""

import numpy as np
from matplotlib.figure import Figure

from mnist.data.figures import INK, MISTAKE, plain


@plain
def published_and_reproduced(results: dict[str, dict[str, float]]) -> Figure:
    """Published (ring) and reproduced (dot) test accuracy of each published system, one a row."""
    figure = Figure(figsize=(8, 0.42 * len(results) + 1.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    rows = range(len(results))
    published = [result["published_accuracy"] for result in results.values()]
    values = [float("nan") if value is None else value for value in published]
    axes.scatter(values, rows, s=90, facecolors="none", edgecolors=INK, label="published")
    axes.scatter([result["accuracy"] for result in results.values()], rows, s=28, color=MISTAKE, label="reproduced")
    axes.set(xlabel="test accuracy", yticks=rows, yticklabels=results)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    return figure


@plain
def answered(images: np.ndarray, titles: list[str], answers: list[str], right: list[bool]) -> Figure:
    """Images `(n, rows, columns)` in rows of four, with a title above each and the model's answer below."""
    rows = -(-len(images) // 4)
    figure = Figure(figsize=(7.2, 2.2 * rows), dpi=110, layout="constrained")
    axes = figure.subplots(rows, 4).ravel()
    for place, image, title, answer, good in zip(axes, images, titles, answers, right, strict=False):
        place.imshow(255 - image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        place.set_title(title, fontsize=9, color=INK)
        place.set_xlabel(answer, fontsize=9, color=INK if good else MISTAKE)
        place.set(xticks=[], yticks=[])
    for place in axes[len(images) :]:
        place.axis("off")
    return figure
