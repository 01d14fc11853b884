"""A picture → what the model is to see of it: an image of each digit."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.about import Preparation
from mnist_reader.core.normalisation import normalised
from mnist_reader.core.pixels import SHAPE, Shape
from mnist_reader.digits import Box, Cut, cut_digits
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.picture import Picture, PictureError, grey_picture

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class InputSpec(NamedTuple):
    """How a model wants its pictures."""

    preparation: Preparation = "ink"
    shape: Shape = SHAPE  # rows and columns of its images
    single: bool = False  # one digit is looked for, and not a row


MNIST = InputSpec()


class PreparedDigit(NamedTuple):
    """What the model is to see of one digit."""

    image: np.ndarray  # uint8 (rows, columns), 255 = ink
    box: Box = WHOLE  # fractions 0–1 of the picture's sides
    cut_off: bool = False  # perhaps: it stands in a row, and at the edge of the picture


class PreparedPicture(NamedTuple):
    """What the model is to see of one picture."""

    digits: list[PreparedDigit]  # from left to right; none where the picture is empty
    size: tuple[int, int]  # of the picture, width and height in pixels
    whole: PreparedDigit | None = None  # where there are several parts: the picture as a single digit

    @property
    def empty(self) -> bool:
        """There is nothing to read: no ink, or more parts than a number has."""
        return not self.digits and self.whole is None


def prepare_picture(picture: Picture, name: str = "picture", spec: InputSpec = MNIST) -> PreparedPicture:
    """Prepare a picture as `Reader.read` does, without a model: the part of the work that other processes can take.

    Args:
        picture: see `Reader.read`, and so is `name`.
        spec: the model's, `Reader.input_spec`.

    Raises:
        PictureError: one line: unreadable, damaged, too large, or no picture.
    """
    levels, size = grey_picture(picture, name)
    if spec.preparation == "fit":
        return PreparedPicture([PreparedDigit(whole_image(levels, spec.shape))], size)
    try:
        cuts = [] if spec.single else cut_digits(levels)
        digits = [_prepared(cut, levels.shape, spec.shape, in_row=len(cuts) > 1) for cut in cuts]
        whole = None if len(cuts) == 1 else PreparedDigit(normalised(cut_out(levels), spec.shape))
        return PreparedPicture(digits, size, whole)
    except NoInkError:
        return PreparedPicture([], size)


def _prepared(cut: Cut, size: tuple[int, ...], shape: Shape, in_row: bool) -> PreparedDigit:
    left, top, right, bottom = cut.box
    rows, columns = size
    box = (left / columns, top / rows, right / columns, bottom / rows)
    return PreparedDigit(normalised(cut.ink, shape), box, cut.at_edge and in_row)


def digit_image(picture: Picture, name: str = "picture", shape: Shape = SHAPE) -> np.ndarray:
    """Turn a picture of one digit into the image that the model sees.

    Args:
        picture: as `grey_levels` takes it, and `name`.
        shape: rows and columns of the model's images.

    Returns:
        `uint8` of that shape, 0 = paper, 255 = full ink.

    Raises:
        PictureError: see mnist_reader.picture; or there is no ink.
    """
    whole = prepare_picture(picture, name, InputSpec(shape=shape, single=True)).whole
    if whole is None:
        raise PictureError(f"{name}: expected a digit, found an empty picture")
    return whole.image


def whole_image(levels: np.ndarray, shape: Shape = SHAPE) -> np.ndarray:
    """The whole picture in `uint8` of this shape, its sides' ratio kept, on black; one with a light border inverted."""
    if np.median(np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])) > 127:
        levels = 255 - levels
    image = Image.fromarray(levels)
    rows, columns = shape
    scale = min(rows / image.height, columns / image.width)
    width, height = (max(1, round(side * scale)) for side in image.size)
    small = image.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)
    field = Image.new("L", (columns, rows))
    field.paste(small, ((columns - width) // 2, (rows - height) // 2))
    return np.asarray(field)
