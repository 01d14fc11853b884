"""What the corruptions lay over an image: clouds and lines."""

import itertools

import numpy as np

Point = tuple[float, float]  # column, row
FIELD = 256  # pixels a side of what the tiles are cut from


def clouds(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Tiles `(n, rows, columns)` of random heights in 0–1, made by the diamond-square algorithm."""
    count, rows, columns = shape
    down, across = FIELD // rows, FIELD // columns
    fields = np.zeros((-(-count // (down * across)), FIELD, FIELD), np.float32)
    step, spread = FIELD, 1.0
    while step >= 2:
        half = step // 2
        corners = fields[:, ::step, ::step]
        square = corners + np.roll(corners, -1, 1)
        centres = (square + np.roll(square, -1, 2)) / 4 + rng.uniform(-spread, spread, corners.shape)
        above = corners + np.roll(corners, -1, 2) + centres + np.roll(centres, 1, 1)
        beside = corners + np.roll(corners, -1, 1) + centres + np.roll(centres, 1, 2)
        fields[:, half::step, half::step] = centres
        fields[:, ::step, half::step] = above / 4 + rng.uniform(-spread, spread, corners.shape)
        fields[:, half::step, ::step] = beside / 4 + rng.uniform(-spread, spread, corners.shape)
        step, spread = half, spread / 1.4**2
    fields -= fields.min(axis=(1, 2), keepdims=True)
    fields /= fields.max(axis=(1, 2), keepdims=True)
    tiles = fields[:, : down * rows, : across * columns].reshape(-1, down, rows, across, columns)
    return tiles.swapaxes(2, 3).reshape(-1, rows, columns)[:count]


def line(shape: tuple[int, ...], start: Point, end: Point) -> np.ndarray:
    """A line between two points (column, row), 0 where it does not reach, paler away from its middle."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    slope = (end[1] - start[1]) / (end[0] - start[0])
    distance = np.abs(rows - (slope * (columns - start[0]) + start[1]))
    ink = np.log(1 - np.minimum(distance, 2.29) / 2.3) + 1
    return np.clip(ink, 0, 1) * ((columns >= np.floor(start[0])) & (columns < np.ceil(end[0])))


def zigzag_line(shape: tuple[int, ...], row: int, rise: int) -> np.ndarray:
    """Lines between points that lie 2 pixels below and above a slope, 4 pixels apart along it."""
    width = shape[1] - 5
    angle, length = np.arctan2(rise, width), np.hypot(rise, width)
    along = np.array([0, *np.arange(2, length, 4), length])
    across = np.array([0, *(2 * (-1) ** np.arange(len(along) - 2)), 0])
    columns = 2 + along * np.cos(angle) - across * np.sin(angle)
    rows = row + along * np.sin(angle) + across * np.cos(angle)
    points = list(zip(columns, rows, strict=True))
    return np.sum([line(shape, *ends) for ends in itertools.pairwise(points)], axis=0)
