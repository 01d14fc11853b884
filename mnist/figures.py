"""Every picture. Each function returns a Matplotlib figure; `save` writes it with the same bytes each time."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mnist.files import atomic

if TYPE_CHECKING:
    import pandas as pd  # a fifth of the convert stage's imports, for a type

P = ParamSpec("P")
INK = "#1f2a44"
TRAIN, VALIDATION = "#9aa5b8", "#c2410c"
ON_PAPER: dict[str, Any] = {"cmap": "gray_r", "vmin": 0, "vmax": 255, "interpolation": "nearest"}  # of digits


def _plain(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with Matplotlib's own settings, whatever a matplotlibrc of the user's says."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(matplotlib.rcParamsDefault | {"text.parse_math": False}):  # a class may be called $
            return draw(*args, **kwargs)

    return drawn


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without the metadata that changes from version to version."""
    with atomic(path) as scratch:
        figure.savefig(scratch, format="png", metadata={"Software": None})


@_plain
def samples(images: np.ndarray, labels: np.ndarray, classes: list[str], columns: int = 16) -> Figure:
    """The first `columns` images of each class, one class a row, its name at the left."""
    sheet = np.zeros((len(classes), 30, columns, 28), np.uint8)  # a line of paper above and below each image
    for row in range(len(classes)):
        chosen = images[labels == row][:columns]
        sheet[row, 1:-1, : len(chosen)] = chosen.swapaxes(0, 1)
    figure = Figure(figsize=(columns * 0.5, len(classes) * 0.5 + 0.1), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet.reshape(-1, 28 * columns), **ON_PAPER)
    axes.set(xticks=[], yticks=[30 * row + 14.5 for row in range(len(classes))])
    axes.set_yticklabels(classes, color=INK, fontsize=12)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


@_plain
def learning_curves(history: "pd.DataFrame") -> Figure:
    """Loss and accuracy over the epochs, training and (where there is one) validation; a single epoch as bars."""
    figure = Figure(figsize=(9, 3.6), dpi=110, layout="constrained")
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.set(title=metric)
        axes.grid(axis="y", alpha=0.25)
        series = [("training", history[metric], TRAIN), ("validation", history[f"val_{metric}"], VALIDATION)]
        for label, values, color in series:
            if values.isna().all():
                continue
            if len(history) > 1:
                axes.plot(history["epoch"], values, marker="o", markersize=4, color=color, label=label)
            else:
                axes.bar_label(axes.bar(label, values, 0.5, color=color), fmt="%.4f", padding=3)
        if len(history) > 1:
            axes.set(xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.legend(frameon=False)
        else:
            axes.set(xlabel="after one epoch")
            axes.margins(x=0.5, y=0.15)
    return figure


@_plain
def confusion(matrix: np.ndarray, classes: list[str]) -> Figure:
    """Counts of (true, predicted); the shade shows the mistakes, on a scale of their own."""
    figure = Figure(figsize=(6, 5.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    mistakes = matrix * (1 - np.eye(len(classes), dtype=int))
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, mistakes.max()) * 1.4)
    for (row, column), count in np.ndenumerate(matrix):
        if count:
            weight = "bold" if row == column else "normal"
            axes.text(column, row, str(count), ha="center", va="center", color=INK, fontsize=9, weight=weight)
    ticks = range(len(classes))
    axes.set(title=f"{mistakes.sum()} mistakes in {matrix.sum():,} images", xlabel="predicted", ylabel="true")
    axes.set(xticks=ticks, yticks=ticks, xticklabels=classes, yticklabels=classes)
    axes.tick_params(length=0)
    return figure


@_plain
def misclassified(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, classes: list[str], most: int = 60
) -> Figure:
    """The misclassified images, most confident mistakes first: true label → prediction, confidence."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:most]
    columns, width, height = 10, 33, 41  # of an image of 28×28 with its caption and the space around it
    rows = max(1, -(-len(wrong) // columns))
    figure = Figure(figsize=(columns * 1.05, rows * 1.3 + 0.5), dpi=110, layout="constrained")
    total = int((predicted != labels).sum())
    shown = f", the {len(wrong)} most confident" if len(wrong) < total else ""
    figure.suptitle(
        f"{total:,} of {len(labels):,} misclassified{shown}: true → predicted, confidence", color=INK, fontsize=11
    )
    axes = figure.subplots()
    axes.axis("off")
    for place, index in enumerate(wrong):
        left, top = place % columns * width, place // columns * height
        box = (left, left + 28, top + 28, top)
        axes.imshow(images[index], extent=box, **ON_PAPER)
        guess = predicted[index]
        caption = f"{classes[labels[index]]} → {classes[guess]}  {probabilities[index, guess]:.0%}"
        axes.text(left + 14, top - 3, caption, ha="center", fontsize=8, color=INK)
    axes.set(xlim=(-3, columns * width - 2), ylim=(rows * height - 11, -11))
    return figure


@_plain
def baselines(results: dict[str, dict[str, float]]) -> Figure:
    """Published (ring) and reproduced (dot) test accuracy of each baseline, one a row."""
    figure = Figure(figsize=(8, 0.42 * len(results) + 1.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    rows = range(len(results))
    published = [result["published_accuracy"] for result in results.values()]
    values = [float("nan") if value is None else value for value in published]
    axes.scatter(values, rows, s=90, facecolors="none", edgecolors=INK, label="published")
    axes.scatter([result["accuracy"] for result in results.values()], rows, s=28, color=VALIDATION, label="reproduced")
    axes.set(xlabel="test accuracy", yticks=rows, yticklabels=results)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left")
    return figure
