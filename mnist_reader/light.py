"""Grey levels → the ink of a page, whatever the light: shadows, lamps, a dark table around the sheet."""

import numpy as np
from PIL import Image, ImageFilter

from mnist_reader.ink import NoInkError, Scan, border_level, widened
from mnist_reader.strokes import connected_parts

PAGE = 1200  # pixels; the ink of a page is looked for in a copy with no longer side
REACH = 1 / 12  # of the longer side; strokes are narrower, and the light on the paper changes over more
STROKE = 1 / 24  # of the longer side; most strokes are narrower, by which ink is told to be dark or light
SMALL = 300  # pixels; a copy with no longer side is not smoothed, and has one level of paper along its border
MARGIN = 0.05  # of each side, in which a lamp or a table may be seen
TILES = 8  # a side of a larger one; each has its own level
NOISE = 6  # times the typical deviation from the paper; what stands out more is ink
FAINTEST = 10  # of 255; what stands out less is noise on any paper
FULL = 0.9  # of the mean depth of a part's ink, in which the darkest counts most, is full ink


def page_scan(levels: np.ndarray) -> Scan:
    """Find the ink of a page in grey levels `uint8` `(rows, columns)`.

    Each connected part of ink has a full level of its own, so that pale digits beside dark ones are read as well.

    Raises:
        NoInkError: there is none.
    """
    factor = -(-max(levels.shape) // PAGE)
    copy = Image.fromarray(levels)
    copy = copy.reduce(factor) if factor > 1 else copy
    smooth = copy.filter(ImageFilter.BoxBlur(1)) if max(copy.size) > SMALL else copy
    depth = ink_depth(np.asarray(smooth))
    middle = float(np.median(depth))
    spread = 1.4826 * float(np.median(np.abs(depth - np.float32(middle))))  # a normal distribution's standard deviation
    inked = depth > max(middle + NOISE * max(spread, 1), FAINTEST)
    labels, parts = connected_parts(inked)
    if not parts:
        raise NoInkError
    flat, weights = labels.ravel(), depth.ravel().astype(np.float64)
    full = FULL * np.bincount(flat, weights**4) / np.maximum(np.bincount(flat, weights**3), 1)
    ink = np.minimum(depth / np.maximum(full, 1).astype(np.float32)[labels], 1)
    return Scan(levels, factor, np.where(inked, ink, np.float32(0)), depth)


def ink_depth(levels: np.ndarray) -> np.ndarray:
    """How much darker each pixel is than the paper around it, `uint8` in 255ths of the paper; for light ink, lighter.

    The paper is the levels without what is narrow and dark: a morphological closing, which follows every change of
    light that is wider. Source: J. Serra, "Image Analysis and Mathematical Morphology", 1982.
    """
    side = max(levels.shape)
    size = max(5, round(max(side * REACH, min(side / 3, 40)))) | 1
    if is_light(levels):
        return closed(255 - levels, size) - (255 - levels)
    paper = closed(levels, size).astype(np.float32)
    return ((paper - levels) * (255 / np.maximum(paper, 16))).astype(np.uint8)


def is_light(levels: np.ndarray) -> bool:
    """Whether the ink is lighter than the paper.

    Of a small picture the paper is the border. In a larger one that may be a table, and what lies between two strokes
    is as narrow as they are; so what counts there is what is narrow and also differs from the median of the tile, the
    strongest most.
    """
    if max(levels.shape) <= SMALL:
        return border_level(levels) <= levels.mean()
    size = round(max(levels.shape) * STROKE) | 1
    darker, lighter = closed(levels, size) - levels, closed(255 - levels, size) - (255 - levels)
    rest = levels - _tile_medians(levels)
    dark, light = np.minimum(darker, np.maximum(-rest, 0)), np.minimum(lighter, np.maximum(rest, 0))
    down, across = (slice(round(MARGIN * side), -round(MARGIN * side)) for side in levels.shape)
    strong = [float(np.sum(part[down, across] ** 3, dtype=np.float64)) for part in (dark, light)]
    return strong[1] > strong[0]


def _tile_medians(levels: np.ndarray) -> np.ndarray:
    """The median around each pixel, of three by three tiles, float32 `(rows, columns)`."""
    rows, columns = levels.shape
    tiles = max(1, min(TILES, rows // 8, columns // 8))
    height, width = rows // tiles, columns // tiles
    cut = levels[: tiles * height, : tiles * width].reshape(tiles, height, tiles, width)
    medians = np.pad(np.median(cut, axis=(1, 3)), 1, mode="edge")
    around = [medians[row : row + tiles, column : column + tiles] for row in range(3) for column in range(3)]
    paper = Image.fromarray(np.median(around, axis=0).astype(np.float32))
    return np.asarray(paper.resize((columns, rows), Image.Resampling.BILINEAR))


def closed(levels: np.ndarray, size: int) -> np.ndarray:
    """The closing of `uint8` `(rows, columns)` by a square of `size` pixels (odd), as if the border went on outside."""
    far = np.pad(levels, size, mode="edge")
    return (255 - widened(255 - widened(far, size // 2), size // 2))[size:-size, size:-size]
