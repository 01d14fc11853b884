"""Images and answers, drawn: each function returns a Matplotlib figure; `save` writes the same bytes each time."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mnist.core.files import atomic

P = ParamSpec("P")
INK, MISTAKE = "#1f2a44", "#c2410c"
ON_PAPER: dict[str, Any] = {"cmap": "gray_r", "vmin": 0, "vmax": 255, "interpolation": "nearest"}  # of images
CLASSES_A_BLOCK = 20  # of samples, one below the other
LONGEST = 18  # letters of a name that are shown
SETTINGS = matplotlib.rcParamsDefault | {"text.parse_math": False}  # a class may be called $
CLASSES_WITH_COUNTS = 20  # most for which each cell of the confusion matrix can hold its count


def plain(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Ignore the user's matplotlibrc."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(SETTINGS):
            return draw(*args, **kwargs)

    return drawn


def save(figure: Figure, path: Path) -> None:
    """Write a PNG without the metadata that changes from version to version."""
    with atomic(path) as scratch, matplotlib.rc_context(SETTINGS):
        figure.savefig(scratch, format="png", metadata={"Software": None})


def shortened(name: str) -> str:
    """A name that fits beside a picture."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


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
def samples(images: np.ndarray, labels: np.ndarray, classes: list[str]) -> Figure:
    """The first images of each class, one class a row, its name at the left; many classes side by side."""
    blocks = -(-len(classes) // CLASSES_A_BLOCK)
    rows, columns = -(-len(classes) // blocks), max(4, 16 // blocks)
    names, (height, wide) = [shortened(name) for name in classes], images.shape[1:]
    width = blocks * (columns * 0.5 * wide / height + 0.08 * max(map(len, names)))
    figure = Figure(figsize=(width, rows * 0.5 + 0.1), dpi=110, layout="constrained")
    for block, axes in enumerate(figure.subplots(1, blocks, squeeze=False)[0]):
        shown = range(block * rows, min((block + 1) * rows, len(classes)))
        sheet = np.zeros((rows, height + 2, columns, wide), np.uint8)  # a line of paper above and below each image
        for row, label in enumerate(shown):
            chosen = images[labels == label][:columns]
            sheet[row, 1:-1, : len(chosen)] = chosen.swapaxes(0, 1)
        axes.imshow(sheet.reshape(-1, wide * columns), **ON_PAPER)
        axes.set(xticks=[], yticks=[(height + 2) * row + height / 2 + 0.5 for row in range(len(shown))])
        axes.set_yticklabels([names[label] for label in shown], color=INK, fontsize=12)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure


@plain
def misclassified(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, classes: list[str], most: int = 60
) -> Figure:
    """The misclassified images, most confident mistakes first: true label → prediction, confidence."""
    names, predicted = [shortened(name) for name in classes], probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:most]
    longest = max(map(len, names))
    columns = 10 if longest <= 3 else 6
    # Of an image and of the space with its caption, as if it had 28 rows.
    half = 14 * images.shape[2] / images.shape[1]
    width, height = 2 * half + 5 + 3 * max(0, longest - 3), 41
    rows = max(1, -(-len(wrong) // columns))
    size = (columns * width * 1.05 / 33, rows * 1.3 + 0.5)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    total = int((predicted != labels).sum())
    shown = f", the {len(wrong)} most confident" if len(wrong) < total else ""
    figure.suptitle(
        f"{total:,} of {len(labels):,} misclassified{shown}: true → predicted, confidence", color=INK, fontsize=11
    )
    axes = figure.subplots()
    axes.axis("off")
    for place, index in enumerate(wrong):
        middle, top = place % columns * width + half, place // columns * height
        axes.imshow(images[index], extent=(middle - half, middle + half, top + 28, top), **ON_PAPER)
        guess = predicted[index]
        caption = f"{names[labels[index]]} → {names[guess]}  {probabilities[index, guess]:.0%}"
        axes.text(middle, top - 3, caption, ha="center", fontsize=8, color=INK)
    axes.set(xlim=(half - 3 - width / 2, columns * width + half - width / 2), ylim=(rows * height - 11, -11))
    return figure
