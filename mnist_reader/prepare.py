"""A picture → as many pixels as the model wants."""

from pathlib import Path

import numpy as np
from PIL import Image

from mnist_reader.ink import NoInkError, cut_out
from mnist_reader.core.normalisation import normalised
from mnist_reader.picture import PictureError, decode, grey, read_bytes
from mnist_reader.core.pixels import SHAPE, Shape

Picture = Image.Image | bytes | str | Path | np.ndarray


def prepare(picture: Picture, name: str = "picture", shape: Shape = SHAPE) -> np.ndarray:
    """Turn a picture of one digit (dark on light or light on dark, any size) into the model's view of it.

    Args:
        picture: as `levels_of` takes it.
        name: what an error calls it, where it is not a path.
        shape: rows and columns of the model's images.

    Returns:
        `uint8` of that shape, 0 = paper, 255 = full ink.

    Raises:
        PictureError: see mnist_reader.picture; or there is no ink.
    """
    try:
        return normalised(cut_out(levels_of(picture, name)), shape)
    except NoInkError:
        raise PictureError(f"{name}: expected a digit, found an empty picture") from None


def levels_of(picture: Picture, name: str) -> np.ndarray:
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


def fitted_whole(levels: np.ndarray, shape: Shape = SHAPE) -> np.ndarray:
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
