"""One picture → what the model is to see of it."""

from typing import NamedTuple

import numpy as np

from mnist_reader.about import Preparation
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.line import Box, cuts
from mnist_reader.core.normalisation import normalised
from mnist_reader.prepare import Picture, fitted_whole, levels_of
from mnist_reader.core.pixels import SHAPE, Shape

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class View(NamedTuple):
    """How a model wants its pictures."""

    preparation: Preparation = "ink"
    shape: Shape = SHAPE  # rows and columns of its images
    single: bool = False  # one digit is looked for, and not a row


MNIST = View()


class Part(NamedTuple):
    """What the model is to see of one digit."""

    image: np.ndarray  # uint8 (rows, columns), 255 = ink
    box: Box = WHOLE
    cut_off: bool = False  # perhaps: it stands in a row, and at the edge of the picture


class Look(NamedTuple):
    """What the model is to see of one picture."""

    parts: list[Part]  # from left to right; none where the picture is empty
    whole: Part | None = None  # where there are several parts: the picture as a single digit

    @property
    def empty(self) -> bool:
        """There is nothing to read: no ink, or more parts than a number has."""
        return not self.parts and self.whole is None


def look(picture: Picture, name: str = "picture", view: View = MNIST) -> Look:
    """Prepare a picture as `Reader.read` does, without a model: the part of the work that other processes can take.

    Args:
        picture: see `Reader.read`, and so is `name`.
        view: the model's, `Reader.view`.

    Raises:
        PictureError: one line: unreadable, damaged, too large, or no picture.
    """
    levels = levels_of(picture, name)
    if view.preparation == "fit":
        return Look([Part(fitted_whole(levels, view.shape))])
    try:
        found = [] if view.single else cuts(levels)
        parts = [Part(normalised(cut.ink, view.shape), cut.box, cut.at_edge and len(found) > 1) for cut in found]
        return Look(parts, None if len(parts) == 1 else Part(normalised(cut_out(levels), view.shape)))
    except NoInkError:
        return Look([])
