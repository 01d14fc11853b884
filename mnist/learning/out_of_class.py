"""Out-of-class pictures, made up so that a model learns what it does not know.

Trained towards equal probabilities on them, a network also gives low probabilities to other things that it has never
seen. Source: Hendrycks, Mazeika and Dietterich, "Deep Anomaly Detection with Outlier Exposure", arXiv 1812.04606.
"""

from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

import numpy as np

from mnist.learning.drawings import Ink, comma, cross, noise, plus, ruled, shape, silhouette, strokes, texture
from mnist.learning.fonts import TRAINED, character
from mnist_reader.core.normalisation import FAINT, normalised, trimmed

# What nobody takes for a digit; what is a class is left out.
CHARACTERS = "ABCDEFGHJKLMNPQRTUVWXYacdefhijkmnprtuvwxy#%&@?!+=*<>{}[]$€£§~^"
FOREIGN = "ΓΔΞΠΣΦΨΩζλψωБДЖИФЦЩЫЮЯ٢٣٤٧٨"  # letters and digits of other scripts, which look like no class
SIGNS = {"+": plus, "x": cross, ",": comma}
MIRRORED = {"3", "4", "6", "7", "9"}  # classes that are none in a mirror
HALVED = {"2", "3", "5", "6", "8"}  # classes of which half is hardly one
LEAST = 12  # pixels of ink; less is a speck
TRIES = 256  # images looked at for one of a class


class Examples(NamedTuple):
    """Images of the classes, from which damaged ones are made, and the fonts for letters."""

    images: np.ndarray  # uint8 (n, rows, columns)
    labels: np.ndarray  # (n,)
    classes: list[str]
    fonts: list[str] = TRAINED


Draw = Callable[[np.random.Generator, Examples], Ink]


def out_of_class(count: int, examples: Examples, seed: int | np.ndarray, kinds: Iterable[str] = ()) -> np.ndarray:
    """Make `count` pictures of no class, of the given kinds or of all.

    Args:
        seed: as NumPy's `default_rng` takes it.

    Returns:
        `uint8` `(count, rows, columns)`, fitted and centred as MNIST's images are. The same arguments give the same
        bytes.
    """
    rng = np.random.default_rng(seed)
    chosen = [KINDS[name] for name in kinds or KINDS]
    weights = np.array([kind.weight for kind in chosen], float)
    shape = examples.images.shape[1:]
    images, made = np.zeros((count, *shape), np.uint8), 0
    while made < count:
        ink = chosen[rng.choice(len(chosen), p=weights / weights.sum())].draw(rng, examples)
        if np.count_nonzero(ink > FAINT) >= LEAST:
            images[made], made = normalised(trimmed(ink), shape), made + 1
    return images


def letter(rng: np.random.Generator, examples: Examples) -> Ink:
    """A letter or another character that is no class."""
    return character(_no_class(CHARACTERS, rng, examples), str(rng.choice(examples.fonts)), rng)


def foreign(rng: np.random.Generator, examples: Examples) -> Ink:
    """A letter or a digit of another script."""
    return character(_no_class(FOREIGN, rng, examples), str(rng.choice(["DejaVuSans", "DejaVuSans-Bold"])), rng)


def sign(rng: np.random.Generator, examples: Examples) -> Ink:
    """A plus, a cross or a comma, drawn with a pen."""
    return SIGNS.get(_no_class(SIGNS, rng, examples), strokes)(rng)


def _no_class(characters: Iterable[str], rng: np.random.Generator, examples: Examples) -> str:
    """A character that is no class, neither as it is nor as a capital or a small letter; empty where there is none."""
    names = set(examples.classes)
    left = [text for text in characters if not {text.upper(), text.lower()} & names]
    return str(rng.choice(left or [""]))


def damaged(rng: np.random.Generator, examples: Examples) -> Ink:
    """An image in a mirror, half of one, or two on top of each other."""
    kind = rng.integers(3)
    if kind == 0 and (ink := _example(rng, examples, MIRRORED)) is not None:
        return ink[:, ::-1]
    if kind == 1 and (ink := _example(rng, examples, HALVED)) is not None and ink.max() > FAINT:
        halves = [half for axis in (0, 1) for half in np.array_split(trimmed(ink), 2, axis)]
        return halves[rng.integers(4)]
    first, second = (_example(rng, examples, {name}) for name in rng.choice(examples.classes, 2, replace=False))
    if first is None or second is None:
        return strokes(rng)
    return np.maximum(first, np.roll(second, rng.integers(-4, 5, 2), (0, 1)))


def touching(rng: np.random.Generator, examples: Examples) -> Ink:
    """Two images side by side, so close that they touch or overlap, or nearly."""
    first, second = (examples.images[at].astype(np.float32) / 255 for at in rng.integers(len(examples.images), size=2))
    if not (first.max() > FAINT and second.max() > FAINT):
        return strokes(rng)
    return _beside(trimmed(first), trimmed(second), int(rng.integers(-4, 2)))


def _example(rng: np.random.Generator, examples: Examples, names: Container[str]) -> Ink | None:
    """One of the images of these classes; None where a search finds none."""
    for at in rng.integers(len(examples.images), size=TRIES):
        if examples.classes[examples.labels[at]] in names:
            return examples.images[at].astype(np.float32) / 255
    return None


def _beside(left: Ink, right: Ink, gap: int) -> Ink:
    """Two images in one, with `gap` columns between them; where that is negative they overlap."""
    start = max(0, left.shape[1] + gap)
    both = np.zeros((max(len(left), len(right)), max(left.shape[1], start + right.shape[1])), np.float32)
    for ink, column in ((left, 0), (right, start)):
        top = (len(both) - len(ink)) // 2
        part = both[top : top + len(ink), column : column + ink.shape[1]]
        np.maximum(part, ink, out=part)
    return both


class Kind(NamedTuple):
    """One kind of pictures of no class."""

    weight: float  # how often it is drawn where all kinds are
    draw: Draw


KINDS = {
    "letters": Kind(9, letter),
    "foreign": Kind(1, foreign),
    "signs": Kind(1, sign),
    "silhouettes": Kind(3, silhouette),
    "noise": Kind(1, noise),
    "textures": Kind(3, texture),
    "strokes": Kind(1, strokes),
    "ruled": Kind(1, ruled),
    "shapes": Kind(2, shape),
    "damaged": Kind(3, damaged),
    "touching": Kind(5, touching),
}
