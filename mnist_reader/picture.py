"""A picture from outside → grey levels. Everything that can be wrong with a file is refused here, in one line."""

import contextlib
import ctypes
import functools
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from mnist_reader.core.errors import UserError, first_line

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # no format that starts another program
MAX_BYTES = 128 * 2**20
READ_BYTES = 2**16  # at a time; Python sets aside as many as one read may bring
MAX_PIXELS = 80_000_000  # a 48-megapixel phone's picture fits; below Pillow's own limit of 89 million
MAX_PIXELS_WEBP = 25_000_000  # also AVIF, whose decoders take 16 bytes a pixel
MAX_SIDE = 32_767  # pixels; also the longest side that most writers of pictures allow
MAX_PLAIN = 4 * 2**20  # bytes of a PPM that is written as text, which takes a second for 2 million
PPM_HEADER = re.compile(
    rb"(?:P[14](?:(?:\s|#[^\r\n]*[\r\n])+\d+){2}|P[2356](?:(?:\s|#[^\r\n]*[\r\n])+\d+){3})\s"
)  # magic number, width, height and, but for bits, the largest value; comments may stand between
MAX_HEADER = 4096  # bytes of that
ROWS = 256  # of a picture that are converted together
ORIENTATION = 0x0112  # an EXIF tag
DRAFT_SIDE = 1024  # pixels; a JPEG is decoded at the smallest scale that still has this, up to 8 times faster

Picture = Image.Image | bytes | str | Path | np.ndarray


class PictureError(UserError):
    """A file that holds no digit that can be read; the text names it, what was expected and what was found."""


class GreyPicture(NamedTuple):
    """A picture as the reader looks at it."""

    levels: np.ndarray  # uint8 (rows, columns), turned as EXIF says; of a large JPEG, a smaller copy
    size: tuple[int, int]  # width and height of the picture itself, in pixels, turned as EXIF says


def grey_levels(picture: Picture, name: str) -> np.ndarray:
    """The `levels` of `grey_picture`."""
    return grey_picture(picture, name).levels


def grey_picture(picture: Picture, name: str) -> GreyPicture:
    """Grey levels of a Pillow image, a file's path or bytes, or an array.

    Raises:
        PictureError: see `read_bytes` and `decode`; or an array that is not `uint8` `(rows, columns)` or
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
    levels = grey(picture)
    return GreyPicture(levels, (levels.shape[1], levels.shape[0]))


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
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path}: expected a readable file, found: {reason}") from None


def _limited(file: BinaryIO, name: str) -> bytes:
    content = bytearray()
    while chunk := file.read(READ_BYTES):
        content += chunk
        if len(content) > MAX_BYTES:
            raise PictureError(f"{name}: expected at most {MAX_BYTES:,} bytes, found more")
    if not content:
        raise PictureError(f"{name}: expected a picture, found an empty file")
    return bytes(content)


def decode(content: bytes, name: str) -> GreyPicture:
    """Decode the (first) picture in `content`.

    Raises:
        PictureError: not one of FORMATS, damaged, or larger than MAX_PIXELS or MAX_SIDE, which is seen before decoding.
    """
    _check_ppm(content, name)
    try:
        levels, size, orientation = _read(content, name)
    except PictureError:
        raise
    except Image.UnidentifiedImageError:
        raise PictureError(f"{name}: expected a picture ({', '.join(FORMATS)}), found {content[:8]!r}…") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: expected at most {MAX_PIXELS:,} pixels, found more") from None
    except Exception as error:  # the decoders raise whatever they stumble over: OSError, SyntaxError, struct.error …
        raise PictureError(f"{name}: expected a whole picture, found damaged data: {first_line(error)}") from None
    return GreyPicture(_turned(levels, orientation), size[::-1] if orientation >= 5 else size)


def _read(content: bytes, name: str) -> tuple[np.ndarray, tuple[int, int], int]:
    """(grey levels and size as they lie in the file, EXIF's orientation); what Pillow needed for them is free again."""
    with warnings.catch_warnings():  # Pillow warns of what is refused here, or harmless
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(image, name)
            if image.format == "TIFF":
                _silence_libtiff()
            size = image.size
            image.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
            return _levels(image), size, _orientation(image)


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff, which Pillow brings, from writing to standard error what `decode` says in one line."""
    with contextlib.suppress(AttributeError, OSError):  # where it is not a library of its own, as on Windows
        ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    most = MAX_PIXELS_WEBP if image.format in ("WEBP", "AVIF") else MAX_PIXELS
    if width * height > most or max(image.size) > MAX_SIDE:
        raise PictureError(
            f"{name}: expected at most {most:,} pixels and {MAX_SIDE:,} a side, found {width:,} × {height:,}"
        )


def _check_ppm(content: bytes, name: str) -> None:
    """Reject a PPM that Pillow parses slowly: it reads the header and the text byte by byte."""
    if not re.match(rb"P[0-6fy]", content):  # what Pillow takes for one
        return
    if not PPM_HEADER.match(content[:MAX_HEADER]):
        raise PictureError(f"{name}: expected a PPM's header in the first {MAX_HEADER:,} bytes, found {content[:8]!r}…")
    if content[:2] in (b"P1", b"P2", b"P3") and len(content) > MAX_PLAIN:
        raise PictureError(f"{name}: expected at most {MAX_PLAIN:,} bytes of a PPM as text, found {len(content):,}")


def grey(image: Image.Image) -> np.ndarray:
    """Grey levels `uint8` `(rows, columns)`, turned as EXIF says, transparent parts over white.

    Modes of more than 8 bits (I, I;16, F) are stretched to 0–255: where their black and white lie is not recorded.
    """
    return _turned(_levels(image), _orientation(image))


def _orientation(image: Image.Image) -> int:
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _turned(levels: np.ndarray, orientation: int) -> np.ndarray:
    if orientation == 1:
        return levels
    image = Image.fromarray(levels)
    image.getexif()[ORIENTATION] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def _levels(image: Image.Image) -> np.ndarray:
    convert = _stretching(image) if image.mode[0] in "IF" else _flatten
    levels = np.empty((image.height, image.width), np.uint8)
    for top, strip in _strips(image):
        levels[top : top + strip.height] = convert(strip)
    return levels


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """(first row, part of the image), so that a conversion copies a few rows of a large picture at a time."""
    for top in range(0, image.height, ROWS):
        yield top, image.crop((0, top, image.width, min(top + ROWS, image.height)))


def _flatten(strip: Image.Image) -> np.ndarray:
    if not strip.has_transparency_data:
        return np.asarray(strip.convert("L"))
    strip = strip.convert("RGBA")
    return np.asarray(Image.composite(strip.convert("L"), Image.new("L", strip.size, 255), strip.getchannel("A")))


def _stretching(image: Image.Image) -> Callable[[Image.Image], np.ndarray]:
    """The conversion that maps this image's smallest value to 0 and its largest to 255."""
    parts = (_finite(strip) for _, strip in _strips(image))
    lows, highs = zip(*((float(values.min()), float(values.max())) for values in parts), strict=True)
    low, high = min(lows), max(highs)
    scale = 255 / max(high - low, 1e-9)
    exact = np.float32 if image.mode == "F" or max(-low, high) < 2**24 else np.float64  # float32 has 24 bits
    # The minimum is for differences that overflow.
    return lambda strip: np.minimum((_finite(strip).astype(exact, copy=False) - low) * scale, 255).astype(np.uint8)


def _finite(strip: Image.Image) -> np.ndarray:
    """The values; 0 for those that are not finite."""
    values = np.asarray(strip)
    if values.dtype.kind != "f" or (np.isfinite(values.min()) and np.isfinite(values.max())):
        return values
    return np.nan_to_num(values, posinf=0, neginf=0)
