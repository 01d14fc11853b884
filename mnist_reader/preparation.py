"""A picture → what the model is to see of it: images of as many pixels as it wants."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.about import Preparation
from mnist_reader.core.normalisation import normalised
from mnist_reader.core.pixels import SHAPE, Shape
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.line import Box, cuts
from mnist_reader.picture import PictureError, decode, grey, read_bytes

Picture = Image.Image | bytes | str | Path | np.ndarray
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
    box: Box = WHOLE
    cut_off: bool = False  # perhaps: it stands in a row, and at the edge of the picture


class PreparedPicture(NamedTuple):
    """What the model is to see of one picture."""

    digits: list[PreparedDigit]  # from left to right; none where the picture is empty
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
    levels = grey_levels(picture, name)
    if spec.preparation == "fit":
        return PreparedPicture([PreparedDigit(whole_image(levels, spec.shape))])
    try:
        found = [] if spec.single else cuts(levels)
        parts = [
            PreparedDigit(normalised(cut.ink, spec.shape), cut.box, cut.at_edge and len(found) > 1) for cut in found
        ]
        return PreparedPicture(
            parts, None if len(parts) == 1 else PreparedDigit(normalised(cut_out(levels), spec.shape))
        )
    except NoInkError:
        return PreparedPicture([])


def digit_image(picture: Picture, name: str = "picture", shape: Shape = SHAPE) -> np.ndarray:
    """Turn a picture of one digit (dark on light or light on dark, any size) into the image that the model sees.

    Args:
        picture: as `grey_levels` takes it.
        name: what an error calls it, where it is not a path.
        shape: rows and columns of the model's images.

    Returns:
        `uint8` of that shape, 0 = paper, 255 = full ink.

    Raises:
        PictureError: see mnist_reader.picture; or there is no ink.
    """
    try:
        return normalised(cut_out(grey_levels(picture, name)), shape)
    except NoInkError:
        raise PictureError(f"{name}: expected a digit, found an empty picture") from None


def grey_levels(picture: Picture, name: str) -> np.ndarray:
    """Grey levels, `uint8` `(rows, columns)`, of a Pillow image, a file's path or bytes, or an array.

    Raises:
        PictureError: see mnist_reader.picture; or an array that is not `uint8` `(rows, columns)` or
            `(rows, columns, 3)`.
    """
    if isinstance(picture, str | Path):
        return decode(read_bytes(str(picture)), str(picture))
    if isinstance(picture, bytes):
        return decode(picture, name)
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
            raise PictureError(f"{name}: expected uint8 (rows, columns), found {picture.dtype} {picture.shape}")
        if not picture.size:
            raise PictureError(f"{name}: expected a picture, found an empty array")
        picture = Image.fromarray(picture)
    return grey(picture)


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
