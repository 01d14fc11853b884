"""A picture from outside → grey levels. Everything that can be wrong with a file is refused here, in one line."""

import io
import sys
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from mnist.errors import PipelineError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # no format that starts another program
MAX_BYTES = 128 * 2**20
CHUNK = 2**16  # bytes; Python sets aside as many as one read may bring
MAX_PIXELS = 80_000_000  # a 48-megapixel phone's picture fits; below Pillow's own limit of 89 million
MAX_SIDE = 32_767  # pixels; also the longest side that most writers of pictures allow
DRAFT_SIDE = 1024  # pixels; a JPEG is decoded at the smallest scale that still has this, up to 8 times faster


class PictureError(PipelineError):
    """A file that holds no digit that can be read; the text names it, what was expected and what was found."""


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`.

    Raises:
        PictureError: unreadable, empty, or more than MAX_BYTES.
    """
    try:
        if path == "-":
            return _limited(sys.stdin.buffer, path)
        with Path(path).open("rb") as file:
            return _limited(file, path)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise PictureError(f"{path}: expected a readable file, found: {_reason(error)}") from None


def _limited(file: BinaryIO, name: str) -> bytes:
    content = bytearray()
    while chunk := file.read(CHUNK):
        content += chunk
        if len(content) > MAX_BYTES:
            raise PictureError(f"{name}: expected at most {MAX_BYTES:,} bytes, found more")
    if not content:
        raise PictureError(f"{name}: expected a picture, found an empty file")
    return bytes(content)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text.splitlines()[0] if text else type(error).__name__


def decode(content: bytes, name: str) -> np.ndarray:
    """Decode the (first) picture in `content`.

    Returns:
        Grey levels as by `grey`.

    Raises:
        PictureError: not one of FORMATS, damaged, or larger than MAX_PIXELS or MAX_SIDE, which is seen before decoding.
    """
    try:
        with warnings.catch_warnings():  # Pillow warns of large pictures, which `_check_size` refuses
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        with image:
            _check_size(image.size, name)
            image.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
            return grey(image)
    except PictureError:
        raise
    except Image.UnidentifiedImageError:
        raise PictureError(f"{name}: expected a picture ({', '.join(FORMATS)}), found {content[:8]!r}…") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: expected at most {MAX_PIXELS:,} pixels, found more") from None
    except Exception as error:  # the decoders raise whatever they stumble over: OSError, SyntaxError, struct.error …
        raise PictureError(f"{name}: expected a whole picture, found damaged data: {_reason(error)}") from None


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise PictureError(
            f"{name}: expected at most {MAX_PIXELS:,} pixels and {MAX_SIDE:,} a side, found {width:,} × {height:,}"
        )


def grey(image: Image.Image) -> np.ndarray:
    """Grey levels `uint8` `(rows, columns)`, turned as EXIF says, transparent parts over white.

    Modes of more than 8 bits (I, I;16, F) are stretched to 0–255: where their black and white lie is not recorded.
    """
    if image.getexif().get(0x0112, 1) != 1:  # the Orientation tag
        image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":
        return _stretch(np.asarray(image, np.float64))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"))


def _stretch(values: np.ndarray) -> np.ndarray:
    values = np.nan_to_num(values, posinf=0, neginf=0)
    return ((values - values.min()) * (255 / max(np.ptp(values), 1e-9))).astype(np.uint8)
