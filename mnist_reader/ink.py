"""Grey levels → ink: told from the paper, cleaned, and cut out as one digit."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from mnist_reader.core.normalisation import FAINT, quantile

WORK = 160  # pixels; the ink of one digit is looked for in a copy with no longer side
SMALL = 40  # pixels; a digit smaller than this in a reduced copy is looked for again in the original
EVEN = 0.88  # separability of ink and paper from which the paper counts as even; MNIST's images have 0.885 and more
GAIN = 0.05  # of separability, from which the paper counts as curved; a digit that fills its picture gains 0.03
CLEARER = 1.5  # times the contrast; with so much more, any gain will do: else ink and shadow were told apart
CONTRAST = 20  # grey levels; less between ink and paper is an empty picture
SPECK = 0.05  # of all ink; a part with less that stands apart from the rest is dirt
LEVELS = np.arange(256)


class NoInkError(Exception):
    """The picture is empty."""


class TooManyError(NoInkError):
    """More parts than a page has digits: a texture, or a text."""


class Ink(NamedTuple):
    """How much darker (or lighter) than the paper each pixel is."""

    levels: np.ndarray  # uint8 (rows, columns), 0 = paper
    threshold: int  # ink lies above it
    separability: float  # Otsu's η: 0 = one even mass, 1 = exactly two levels
    contrast: float  # mean level of the ink less that of the paper


class Scan(NamedTuple):
    """Grey levels, and the ink that was found in a copy of them with sides `factor` times shorter."""

    levels: np.ndarray  # uint8 (rows, columns), the original
    factor: int
    ink: np.ndarray  # float32 (rows, columns) of the copy, in 0–1 with soft edges
    depth: np.ndarray  # uint8 (rows, columns) of the copy: how much darker or lighter than the paper

    def original(self, box: tuple[slice, slice]) -> tuple[slice, slice]:
        """The rows and columns of the original that these of the copy show."""
        down, across = (slice(side.start * self.factor, side.stop * self.factor) for side in box)
        return down, across


def scan(levels: np.ndarray, factor: int) -> Scan:
    """Find the ink of grey levels `uint8` `(rows, columns)` in a copy with sides `factor` times shorter.

    Raises:
        NoInkError: ink and paper are too much alike.
    """
    copy = np.asarray(Image.fromarray(levels).reduce(factor)) if factor > 1 else levels
    ink = find_ink(copy)
    return Scan(levels, factor, clean(ink), ink.levels)


def cut_out(levels: np.ndarray, scanned: Scan | None = None) -> np.ndarray:
    """Cut the one digit out of grey levels `uint8` `(rows, columns)`: ink `float32` in 0–1, no margin.

    Args:
        levels: dark on light or light on dark; a digit that is small in a large picture is looked for twice.
        scanned: used instead of a scan of its own, if it is of these levels and with the same factor.
    """
    factor = math.ceil(max(levels.shape) / WORK)
    if not (scanned and scanned.levels is levels and scanned.factor == factor):
        scanned = scan(levels, factor)
    rows, columns = extent(scanned.ink)
    size = max(rows.stop - rows.start, columns.stop - columns.start)
    if factor > 1 and size < SMALL:
        part = levels[scanned.original(around((rows, columns), size // 2 + 2))]
        scanned = scan(part, math.ceil(max(part.shape) / WORK))
        rows, columns = extent(scanned.ink)
    return scanned.ink[rows, columns]


def find_ink(levels: np.ndarray) -> Ink:
    """Tell ink from paper in grey levels `uint8` `(rows, columns)`, whichever is darker.

    The paper is what lies along the border near the corners, as one level; where ink and paper do not separate well
    from that, a curved surface (light from one side, a vignette) is tried, and kept if they then separate much better.
    """
    paper = border_level(levels)
    even = otsu(_difference(levels, paper, -1 if paper > levels.mean() else 1))
    if even.separability >= EVEN:
        return even
    uneven = otsu(_difference(levels, *paper_surface(levels)))
    gain = uneven.separability - even.separability
    clearer = gain > GAIN or (gain > 0 and uneven.contrast > CLEARER * even.contrast)
    return uneven if clearer or uneven.contrast < CONTRAST else even


def border_level(levels: np.ndarray) -> float:
    """The level of the paper along the border of `uint8` `(rows, columns)`, near the corners."""
    edges = (levels[0], levels[-1], levels[:, 0], levels[:, -1])
    return quantile(np.concatenate([_ends(edge) for edge in edges]), 0.5)


def _ends(edge: np.ndarray) -> np.ndarray:
    """The first and the last quarter: a tightly cut digit touches the middle of an edge more than its ends."""
    part = len(edge) // 4 + 1
    return np.concatenate([edge[:part], edge[-part:]])


def _difference(levels: np.ndarray, paper: np.ndarray | float, sign: int) -> np.ndarray:
    return np.clip((levels - np.float32(paper)) * sign, 0, 255).astype(np.uint8)


def otsu(levels: np.ndarray) -> Ink:
    """Split `uint8` levels into two classes with the largest variance between them.

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. SMC 9 (1979) 62–66.
    """
    counts = np.bincount(levels.ravel(), minlength=256) / levels.size
    weight, mass = np.cumsum(counts), np.cumsum(counts * LEVELS)  # of the lower class, for each threshold
    mean = mass[-1]
    both = np.maximum(weight * (1 - weight), 1e-9)
    between = (mean * weight - mass) ** 2 / both
    total = counts @ (LEVELS - mean) ** 2
    best = int(between.argmax())
    contrast = (mean * weight[best] - mass[best]) / both[best]
    return Ink(levels, best, float(between[best] / total) if total else 0.0, float(contrast))


def paper_surface(levels: np.ndarray, cells: int = 24, rounds: int = 6) -> tuple[np.ndarray, int]:
    """Fit a second-degree surface to the paper, leaving out, round by round, what stands out from it.

    Returns:
        The paper's level at each pixel, float32, and the sign of what stands out: 1 = ink is lighter, -1 = darker.
    """
    image = Image.fromarray(levels)
    values = np.asarray(image.resize((cells, cells), Image.Resampling.BOX), np.float64).ravel()
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : cells * 1j, -1 : 1 : cells * 1j])
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    paper = np.ones(len(values), bool)
    for _ in range(rounds):
        factors = np.linalg.lstsq(terms[paper], values[paper], rcond=None)[0]
        rest = values - terms @ factors
        spread = 1.4826 * float(np.median(np.abs(rest[paper])))  # a normal distribution's standard deviation
        near = np.abs(rest) < max(2 * spread, 2)
        if near.sum() < len(values) / 4 or np.array_equal(near, paper):
            break
        paper = near
    surface = Image.fromarray((terms @ factors).reshape(cells, cells).astype(np.float32))
    sign = 1 if rest[~paper].sum() > 0 else -1
    return np.asarray(surface.resize(image.size, Image.Resampling.BILINEAR)), sign


def clean(ink: Ink) -> np.ndarray:
    """Ink as `float32` in 0–1, keeping its soft edges; what does not touch strong ink is 0."""
    if ink.contrast < CONTRAST:
        raise NoInkError
    strong = ink.levels > ink.threshold
    full = quantile(ink.levels[strong], 0.9)
    edges = widened(strong, max(2, round(max(strong.shape) / 64)))
    return np.where(edges, np.minimum(ink.levels / np.float32(full), 1), np.float32(0))


def widened(levels: np.ndarray, reach: int) -> np.ndarray:
    """The largest of the levels, `uint8` or boolean `(rows, columns)`, no more than `reach` pixels away."""
    size = 2 * reach + 1
    for _ in range(2):
        levels, done = np.pad(levels, ((reach, reach), (0, 0)), mode="edge"), 1
        while done < size:
            step = min(done, size - done)
            levels = np.maximum(levels[:-step], levels[step:])
            done += step
        levels = levels.T
    return levels


def around(box: tuple[slice, slice], margin: int) -> tuple[slice, slice]:
    """Rows and columns with a margin, which may reach beyond the last: slicing allows that."""
    down, across = (slice(max(0, side.start - margin), side.stop + margin) for side in box)
    return down, across


def extent(ink: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the digit in `ink`, without specks that stand apart from it."""
    solid = np.where(ink > FAINT, ink, 0)
    columns = _run(solid.sum(axis=0))
    rows = _run(solid[:, columns].sum(axis=1))
    inner = _run(solid[rows, columns].sum(axis=0))
    return rows, slice(columns.start + inner.start, columns.start + inner.stop)


def _run(profile: np.ndarray) -> slice:
    """From the first to the last run of non-zero values that holds more than SPECK of the sum; where none does, all."""
    turns = np.flatnonzero(np.diff(profile > 0, prepend=False, append=False))
    starts, stops = turns[::2], turns[1::2]
    total = np.concatenate([[0], np.cumsum(profile)])
    kept = total[stops] - total[starts] > SPECK * total[-1]
    kept |= not kept.any()
    return slice(int(starts[kept][0]), int(stops[kept][-1]))
