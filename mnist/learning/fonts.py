"""Letters, digits and other characters in the fonts that come with Matplotlib, which every installation has."""

import functools
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from mnist.learning.drawings import SIDE, Ink, as_ink, slanted

# Fonts that training draws from, and others for evaluation alone.
TRAINED = [f"DejaVu{name}" for name in ("Sans", "Sans-Bold", "Sans-Oblique", "SansMono", "Serif", "Serif-Bold")]
TRAINED += ["DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"]
HELD_OUT = ["cmr10", "cmb10", "cmss10", "cmtt10", "cmti10", "cmmi10"]


@functools.cache
def _font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts/ttf", f"{name}.ttf"), SIDE)


def character(text: str, font: str, rng: np.random.Generator) -> Ink:
    """One character in one of the fonts, turned, slanted and, half of the time, thickened a little."""
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    ImageDraw.Draw(image).text((SIDE, SIDE), text, 255, _font(font), anchor="mm")
    turned = slanted(image, rng)
    return as_ink(turned.filter(ImageFilter.MaxFilter(3)) if rng.random() < 0.5 else turned)
