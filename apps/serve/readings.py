"""The JSON of a reading; `answers` describes it to clients."""

import base64
import io
import json
import math
from typing import Any

import numpy as np
from PIL import Image

from mnist_reader import Digit, Reading

PNG = "data:image/png;base64,"


def reading_json(reading: Reading, classes: tuple[str, ...], file: str | None, images: bool) -> bytes:
    """A `Reading` of `answers`.

    Args:
        reading: what the picture says.
        classes: the names of the model's classes, in its order.
        file: the picture's name in a form.
        images: add what the model saw.
    """
    digits = [digit(one, line, classes, images) for line, row in enumerate(reading.lines) for one in row]
    values = {
        "file": file,
        "text": reading.text,
        "confidence": probability(reading.confidence),
        "unsure": is_unsure(reading),
        "empty": reading.empty,
        "turned": reading.turned,
        "digits": digits,
    }
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def is_unsure(reading: Reading) -> bool:
    """A person should look: the reader says so, there is nothing to read, or a confidence is no number."""
    return reading.unsure or reading.empty or not math.isfinite(reading.confidence)


def digit(read: Digit, line: int, classes: tuple[str, ...], images: bool) -> dict[str, Any]:
    """A `Digit` of `answers`."""
    values = {
        "label": read.label,
        "confidence": probability(read.confidence),
        "second": read.second,
        "second_confidence": probability(read.second_confidence),
        "unsure": read.unsure or not math.isfinite(read.confidence),
        "line": line,
        "mark": read.mark,
        "box": [float(side) for side in read.box],
        "pixels": list(read.pixels),
        "probabilities": dict(zip(classes, map(probability, read.probabilities), strict=True)),
    }
    return values | {"image": data_url(read.image)} if images else values


def probability(value: float) -> float:
    """A number that JSON can hold: 0 where a broken model gave none."""
    return value if math.isfinite(value) else 0.0


def data_url(image: np.ndarray) -> str:
    """`uint8` `(rows, columns)` as a PNG inside a URL: light ink on black, as the model has it."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return PNG + base64.b64encode(file.getvalue()).decode()
