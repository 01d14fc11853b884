"""Curves and tables. Each function returns a Matplotlib figure; `save` writes it with the same bytes each time."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mnist.core.files import atomic

if TYPE_CHECKING:
    import pandas as pd  # a fifth of the convert stage's imports, for a type

P = ParamSpec("P")
INK, MISTAKE = "#1f2a44", "#c2410c"
TRAIN, VALIDATION = "#9aa5b8", MISTAKE
LONGEST = 18  # letters of a name that are shown
CLASSES_WITH_COUNTS = 20  # most for which each cell of the confusion matrix can hold its count


def plain(draw: Callable[P, Figure]) -> Callable[P, Figure]:
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


def shortened(name: str) -> str:
    """A name that fits beside a picture."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


@plain
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


@plain
def confusion(matrix: np.ndarray, classes: list[str]) -> Figure:
    """Counts of (true, predicted); the shade shows the mistakes, on a scale of their own.

    Where there are too many classes to write the counts, the most frequent mistakes stand beside.
    """
    names, many = [shortened(name) for name in classes], len(classes) > CLASSES_WITH_COUNTS
    room = 0.1 + 0.08 * max(map(len, names))  # inches
    side = max(5.2, len(classes) * (0.18 if many else 0.45))
    figure = Figure(
        figsize=(side + room + (1 + 2.5 * room if many else 0.7), side + room + 0.4), dpi=110, layout="constrained"
    )
    axes = figure.subplots()
    mistakes = matrix * (1 - np.eye(len(classes), dtype=int))
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, mistakes.max()) * (1 if many else 1.4))
    if many:
        axes.text(1.02, 1, worst(mistakes, names), transform=axes.transAxes, va="top", color=INK, fontsize=9)
    else:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                weight = "bold" if row == column else "normal"
                axes.text(column, row, str(count), ha="center", va="center", color=INK, fontsize=9, weight=weight)
    ticks = range(len(classes))
    axes.set(title=f"{mistakes.sum():,} mistakes in {matrix.sum():,} images", xlabel="predicted", ylabel="true")
    axes.set(xticks=ticks, yticks=ticks, xticklabels=names, yticklabels=names)
    axes.tick_params(length=0, labelsize=7 if many else 10)
    axes.tick_params(axis="x", rotation=90 if max(map(len, names)) > (2 if many else 4) else 0)
    return figure


def worst(mistakes: np.ndarray, names: list[str], most: int = 20) -> str:
    """A line for each of the most frequent mistakes: count, true → predicted."""
    order = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    pairs = [(mistakes.flat[at], *divmod(int(at), len(names))) for at in order if mistakes.flat[at]]
    return "\n".join(f"{count:,}  {names[true]} → {names[predicted]}" for count, true, predicted in pairs)


@plain
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
