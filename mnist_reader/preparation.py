"""A picture of one digit, or the whole of a picture → the image that the model sees."""

import numpy as np
from PIL import Image

from mnist_reader.core.normalisation import normalised
from mnist_reader.core.pixels import SHAPE, Shape
from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.picture import Picture, PictureError, grey_picture


def digit_image(picture: Picture, name: str = "picture", shape: Shape = SHAPE) -> np.ndarray:
    """Turn a picture of one digit into the image that the model sees.

    Args:
        picture: as `grey_picture` takes it, and `name`.
        shape: rows and columns of the model's images.

    Returns:
        `uint8` of that shape, 0 = paper, 255 = full ink.

    Raises:
        PictureError: see mnist_reader.picture; or there is no ink.
    """
    try:
        return normalised(cut_out(grey_picture(picture, name).levels), shape)
    except NoInkError:
        raise PictureError(f"{name}: expected a digit, found an empty picture") from None


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
