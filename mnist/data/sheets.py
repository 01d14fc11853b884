"""Sheets of images, as figures."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mnist.data.figures import INK, MISTAKE, plain, shortened

ON_PAPER: dict[str, Any] = {"cmap": "gray_r", "vmin": 0, "vmax": 255, "interpolation": "nearest"}  # of digits
CLASSES_A_BLOCK = 20  # of samples, one below the other


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
