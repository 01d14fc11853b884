"""A picture of a digit → 28×28 pixels as MNIST was made."""

import numpy as np
from PIL import Image

from mnist.inference.ink import NoInkError, cut_out
from mnist.inference.normalisation import normalised
from mnist.inference.picture import PictureError, decode, grey


def prepare(picture: Image.Image | bytes, name: str = "picture") -> np.ndarray:
    """Turn a picture (dark on light or light on dark, any size) into the model's view of it.

    Args:
        picture: a Pillow image, or the bytes of a picture file.
        name: what an error calls it.

    Returns:
        `uint8` `(28, 28)`, 0 = paper, 255 = full ink.

    Raises:
        PictureError: see mnist.inference.picture; or there is no ink.
    """
    levels = decode(picture, name) if isinstance(picture, bytes) else grey(picture)
    try:
        return normalised(cut_out(levels))
    except NoInkError:
        raise PictureError(f"{name}: expected a digit, found an empty picture") from None
