"""A picture from outside → grey levels. Everything that can be wrong with a file is refused here, in one line."""

import base64
import contextlib
import ctypes
import functools
import io
import os
import re
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
from PIL import Image, ImageOps

from mnist_reader.core.errors import UserError, first_line
from mnist_reader.essentials import ORIENTATION, CostError, essentials, exif_orientation

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")  # no format that starts another program
MAX_BYTES = 128 * 2**20
READ_BYTES = 2**16  # at a time; Python sets aside as many as one read may bring
MAX_PIXELS = 80_000_000  # of a JPEG or a grey picture; below Pillow's own limit of 89 million
MAX_PIXELS_COLOUR = 50_000_000  # a 48-megapixel phone's picture fits
MAX_PIXELS_DEAR = 25_000_000  # of WebP, AVIF, HEIC; of more than 8 bits; with transparency; interlaced; packed by LZMA
MAX_PIXELS_PYTHON = 500_000  # of what Pillow decodes in Python, a colour or level at a time
MAX_PIXELS_DEEP = 12_500_000  # of colours of 16 bits
PYTHON_CODECS = ("bmp_rle", "ppm", "ppm_plain")
MAX_COEFFICIENTS = 150_000_000  # of a JPEG in more than one scan, which are kept in memory, 2 bytes each
MAX_PASSES = 3_200_000_000  # pixels × scans; ordinary progressive JPEGs have 10 scans
MAX_SIDE = 32_767  # pixels; also the longest side that most writers of pictures allow
MAX_PLAIN = 4 * 2**20  # bytes of a PPM that is written as text,
MAX_COMMENTS = 1000  # and comments in it, for each of which Pillow copies a part of the text
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}  # ISO/IEC 23008-12, annex B
PPM_HEADER = re.compile(
    rb"(?:P[14](?:(?:\s|#[^\r\n]*[\r\n])+\d+){2}|P[2356](?:(?:\s|#[^\r\n]*[\r\n])+\d+){3})\s"
)  # magic number, width, height and, but for bits, the largest value; comments may stand between
MAX_HEADER = 4096  # bytes of that
DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)  # as an HTML canvas writes it
ROWS = 256  # of a picture that are converted together
INK_ON_PAPER = 0.01  # of the visible part, at least; less is noise
PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\b"), 0)  # as `warnings.filters` has them
DRAFT_SIDE = 1024  # pixels; a JPEG is decoded at the smallest scale that still has this, up to 8 times faster

SPECIAL_FILES = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe; - reads standard input", stat.S_IFSOCK: "a socket"}

Picture = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray


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
    """Grey levels of a picture in any of its forms.

    Args:
        picture: a file's path, or `-` for standard input; a file's bytes, which may also be in a data URL or in a
            binary file that is open; a Pillow image; or an array `uint8` `(rows, columns)`, `(rows, columns, 3)` or
            `(rows, columns, 4)`.
        name: what an error calls it, where it is not a path.

    Raises:
        PictureError: something else, or see `read_bytes`, `from_data_url` and `decode`.
    """
    try:
        return _grey_picture(picture, name)
    except PictureError:
        raise
    except Exception as error:  # a Pillow image whose file is damaged, a closed file, a released memoryview …
        found = f"a closed or damaged one: {first_line(error)}"
        raise PictureError(f"{name}: expected a picture that can be loaded, found {found}") from None


def _grey_picture(picture: Picture, name: str) -> GreyPicture:
    if isinstance(picture, str) and picture[:5].lower() == "data:":
        return decode(from_data_url(picture, name), name)
    if isinstance(picture, str | os.PathLike):
        path = os.fsdecode(picture)
        return decode(read_bytes(path), path)
    if isinstance(picture, Image.Image | np.ndarray) and not _is_file(picture):
        levels = grey(_image(picture, name))
        return GreyPicture(levels, (levels.shape[1], levels.shape[0]))
    content = _buffer(picture, name)
    if content is None and hasattr(picture, "read") and not isinstance(picture, io.TextIOBase):
        content = _limited(cast(BinaryIO, picture), name)
    if content is None:
        kinds = "a path, bytes, a binary file, a Pillow image or an array"
        raise PictureError(f"{name}: expected {kinds}, found {type(picture).__name__}")
    return decode(content, name)


def _is_file(picture: Image.Image | np.ndarray) -> bool:
    """Whether an array holds the bytes of a file, as OpenCV's `imencode` returns them."""
    return isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 1


def _buffer(picture: object, name: str) -> bytes | None:
    """The bytes of a bytes-like object, such as an `mmap`; None for something else, also for a number of NumPy's."""
    if isinstance(picture, bytes):
        return picture
    try:
        view = memoryview(picture)  # type: ignore[arg-type]
    except TypeError:
        return None
    if isinstance(picture, np.generic):
        return None
    if view.nbytes > MAX_BYTES:
        raise PictureError(f"{name}: expected at most {MAX_BYTES:,} bytes, found more")
    return view.tobytes()


def _image(picture: Image.Image | np.ndarray, name: str) -> Image.Image:
    """A Pillow image, which may also be made of an array, and is not empty."""
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
            found = f"{picture.dtype} {picture.shape}{_way_out(picture)}"
            raise PictureError(f"{name}: expected uint8 (rows, columns) or (rows, columns, 3), found {found}")
        if not picture.size:
            raise PictureError(f"{name}: expected a picture, found an empty array")
        _check_sides(picture.shape[1], picture.shape[0], MAX_PIXELS, name)  # an array may repeat its pixels
        picture = Image.fromarray(picture)
    if 0 in picture.size:
        raise PictureError(f"{name}: expected a picture, found one of {picture.width} × {picture.height} pixels")
    _check_size(picture, name)
    return picture


def _way_out(array: np.ndarray) -> str:
    """How an array of 0–1 becomes one of bytes."""
    is_share = array.dtype.kind in "bf" and array.size and 0 <= array.min() <= array.max() <= 1
    return "; multiply by 255 and convert to uint8" if is_share else ""


def read_bytes(path: str) -> bytes:
    """The bytes of a file, or of standard input for `-`.

    Raises:
        PictureError: no file, unreadable, empty, or more than MAX_BYTES.
    """
    try:
        if path == "-":
            return _limited(sys.stdin.buffer, path)
        _check_regular(path)
        with Path(path).open("rb") as file:
            return _limited(file, path)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path}: expected a readable file, found: {reason}") from None


def _check_regular(path: str) -> None:
    """Reject what may keep a reader waiting for ever, such as a named pipe."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode):
        found = SPECIAL_FILES.get(stat.S_IFMT(mode), "a device")
        raise PictureError(f"{path}: expected a readable file, found {found}")


def _limited(file: BinaryIO, name: str) -> bytes:
    content = bytearray()
    while chunk := file.read(READ_BYTES):
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise PictureError(f"{name}: expected a binary file, found one that gives {type(chunk).__name__}")
        content += chunk
        if len(content) > MAX_BYTES:
            raise PictureError(f"{name}: expected at most {MAX_BYTES:,} bytes, found more")
    if not content:
        raise PictureError(f"{name}: expected a picture, found an empty file")
    return bytes(content)


def from_data_url(text: str, name: str) -> bytes:
    """The picture's file in a data URL such as `data:image/png;base64,…`, not decoded yet.

    Raises:
        PictureError: no data URL of a picture in base64, or damaged base64.
    """
    start = DATA_URL.match(text)
    if start is None:
        raise PictureError(f"{name}: expected data:image/…;base64,…, found {text[:40]!a}…")
    try:
        return base64.b64decode(text[start.end() :], validate=True)
    except ValueError as error:
        raise PictureError(f"{name}: expected a data URL with whole base64, found damaged data: {error}") from None


def decode(content: bytes, name: str) -> GreyPicture:
    """Decode the (first) picture in `content`.

    Raises:
        PictureError: not one of FORMATS or HEIC, damaged, or one that would take too much time or memory, which is
            seen before decoding.
    """
    try:
        levels, size, orientation = _read(content, name)
    except PictureError:
        raise
    except CostError as error:
        raise PictureError(f"{name}: {error}") from None
    except Image.UnidentifiedImageError:
        raise PictureError(f"{name}: expected a picture ({', '.join(FORMATS)}), found {content[:8]!r}…") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{name}: expected at most {MAX_PIXELS:,} pixels, found more") from None
    except Exception as error:  # the decoders raise whatever they stumble over: OSError, SyntaxError, struct.error …
        raise PictureError(f"{name}: expected a whole picture, found damaged data: {first_line(error)}") from None
    return GreyPicture(_turned(levels, orientation), size[::-1] if orientation >= 5 else size)


def _read(content: bytes, name: str) -> tuple[np.ndarray, tuple[int, int], int]:
    """(grey levels and size as they lie in the file, EXIF's orientation); what Pillow needed for them is free again."""
    needed = essentials(content)
    with _without_warnings(), _opened(needed.content, name) as image:
        _check_size(image, name, needed.scans)
        if image.format == "TIFF":
            _silence_libtiff()
        size = image.size
        image.draft("L", (DRAFT_SIDE, DRAFT_SIDE))
        orientation = needed.orientation
        if orientation is None:
            orientation = exif_orientation(image.info.get("exif") or b"", image.info.get("xmp") or b"")
        return _levels(image), size, orientation


def open_image(content: bytes, name: str) -> Image.Image:
    """Pillow's view of a picture, of which only the header was read; HEIC is opened by pillow-heif.

    Raises:
        PictureError: HEIC, and pillow-heif is not installed; or a PPM's header is too long.
        Exception: whatever Pillow raises, such as `UnidentifiedImageError` for what is none of FORMATS.
    """
    return _opened(essentials(content).content, name)


def _opened(content: bytes, name: str) -> Image.Image:
    _check_ppm(content, name)
    if not _is_heic(content):
        return Image.open(io.BytesIO(content), formats=FORMATS)
    try:
        from pillow_heif import HeifImageFile  # optional; Pillow need not know of it
    except ImportError:
        expected = f"a picture ({', '.join(FORMATS)})"
        raise PictureError(f"{name}: expected {expected}, found a HEIC picture; pip install pillow-heif") from None
    return HeifImageFile(io.BytesIO(content))


def _is_heic(content: bytes) -> bool:
    """Whether the `ftyp` box, with which such a file begins, has a brand of HEIC among its first 64."""
    box = content[: min(int.from_bytes(content[:4]), 256)]
    return box[4:8] == b"ftyp" and any(box[at : at + 4] in HEIC_BRANDS for at in range(8, len(box), 4))


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Ignore what Pillow warns of: it is refused here, or harmless.

    `warnings.catch_warnings` would silence other modules too, and threads that overlap would restore each other's
    filters. So each adds one filter, for Pillow's modules, to the list that there is, and takes it out again.
    """
    filters: list = warnings.filters  # type: ignore[assignment]
    filters.insert(0, PILLOW_WARNINGS)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # someone has emptied the list
            filters.remove(PILLOW_WARNINGS)


@functools.cache
def _silence_libtiff() -> None:
    """Keep libtiff, which Pillow brings, from writing to standard error what `decode` says in one line."""
    with contextlib.suppress(AttributeError, OSError):  # where it is not a library of its own, as on Windows
        ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)


def _check_size(image: Image.Image, name: str, scans: int = 1) -> None:
    """Reject what takes too long to decode, or too much memory."""
    width, height = image.size
    _check_sides(width, height, _most_pixels(image), name)
    coefficients = width * height * len(image.getbands()) if scans > 1 else 0
    if coefficients > MAX_COEFFICIENTS or width * height * scans > MAX_PASSES:
        found = f"{scans:,} scans of {width:,} × {height:,} in {len(image.getbands())} colours"
        raise PictureError(f"{name}: expected fewer scans or pixels, found {found}; save it as a JPEG in one scan")


def _check_sides(width: int, height: int, most: int, name: str) -> None:
    if width * height > most or max(width, height) > MAX_SIDE:
        raise PictureError(
            f"{name}: expected at most {most:,} pixels and {MAX_SIDE:,} a side, found {width:,} × {height:,}"
        )


def _most_pixels(image: Image.Image) -> int:
    """How many pixels are read, by what each of them costs."""
    tiles = getattr(image, "tile", [])[:1]  # an image that is loaded has none
    if tiles and tiles[0].codec_name in PYTHON_CODECS and image.mode != "1":
        return MAX_PIXELS_PYTHON // len(image.getbands())
    if image.format in ("WEBP", "AVIF", "HEIF"):
        return MAX_PIXELS_DEAR
    if image.format == "JPEG":
        return MAX_PIXELS
    is_deep, is_packed_best = (word in str(tiles) for word in (";16", "lzma"))
    if is_deep and len(image.getbands()) > 1:
        return MAX_PIXELS_DEEP
    is_clear = image.has_transparency_data or image.info.get("interlace")
    if image.mode not in ("1", "L", "P", "RGB") or is_clear or is_deep or is_packed_best:
        return MAX_PIXELS_DEAR
    return MAX_PIXELS_COLOUR if image.mode in ("P", "RGB") else MAX_PIXELS


def _check_ppm(content: bytes, name: str) -> None:
    """Reject a PPM that Pillow parses slowly: it reads the header and the text byte by byte."""
    if not re.match(rb"P[0-6fy]", content):  # what Pillow takes for one
        return
    if not PPM_HEADER.match(content[:MAX_HEADER]):
        raise PictureError(f"{name}: expected a PPM's header in the first {MAX_HEADER:,} bytes, found {content[:8]!r}…")
    if content[:2] in (b"P1", b"P2", b"P3") and len(content) > MAX_PLAIN:
        raise PictureError(f"{name}: expected at most {MAX_PLAIN:,} bytes of a PPM as text, found {len(content):,}")
    if content[:2] in (b"P1", b"P2", b"P3") and content.count(b"#") > MAX_COMMENTS:
        raise PictureError(f"{name}: expected at most {MAX_COMMENTS:,} comments in a PPM as text, found more")


def grey(image: Image.Image) -> np.ndarray:
    """Grey levels `uint8` `(rows, columns)`, turned as EXIF says, transparent parts as `_paper` has them.

    Modes of more than 8 bits (I, I;16, F) are stretched to 0–255: where their black and white lie is not recorded.
    """
    with _without_warnings():
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
    image.load()  # which may change its mode and size
    convert = _conversion(image)
    levels = np.empty((image.height, image.width), np.uint8)
    for top, strip in _strips(image):
        levels[top : top + strip.height] = convert(strip)
    return levels


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """(first row, part of the image), so that a conversion copies a few rows of a large picture at a time."""
    for top in range(0, image.height, ROWS):
        yield top, image.crop((0, top, image.width, min(top + ROWS, image.height)))


def _conversion(image: Image.Image) -> Callable[[Image.Image], np.ndarray]:
    """Strip → grey levels."""
    if image.mode[0] in "IF":
        return _stretching(image)
    if not image.has_transparency_data:
        return lambda strip: np.asarray(strip.convert("L"))
    paper = _paper(image)

    def flatten(strip: Image.Image) -> np.ndarray:
        level, alpha = _level_and_alpha(strip)
        return np.asarray(Image.composite(level, Image.new("L", strip.size, paper), alpha))

    return flatten


def _level_and_alpha(strip: Image.Image) -> tuple[Image.Image, Image.Image]:
    strip = strip.convert("RGBA")
    return strip.convert("L"), strip.getchannel("A")


def _paper(image: Image.Image) -> int:
    """The level behind transparent parts, 0 or 255: away from visible ink, but like visible paper.

    Paper has ink on it, and covers most of the picture: a corner or a margin is transparent.
    """
    visible = light = 0  # sums of alpha
    for _, strip in _strips(image):
        level, alpha = map(np.asarray, _level_and_alpha(strip))
        visible += int(alpha.sum(dtype=np.int64))
        light += int((alpha * (level > 127)).sum(dtype=np.int64))
    covers = visible > 255 * image.width * image.height / 2
    is_paper = covers and INK_ON_PAPER * visible < light < (1 - INK_ON_PAPER) * visible
    return 255 if (light > visible / 2) == is_paper else 0


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
