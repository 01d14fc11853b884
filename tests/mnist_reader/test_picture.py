"""What a picture of the largest size that is accepted costs, and the files that would cost more."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from mnist_reader.picture import PictureError, decode, grey
from tests.conftest import ROOT

SIDE = 8_900  # 79 million pixels

PEAK = """
import sys
from pathlib import Path
from mnist_reader.picture import PictureError, read_bytes
from mnist_reader.preparation import digit_image
try:
    digit_image(read_bytes(sys.argv[1]))
except PictureError as error:
    print(error)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def turned_by_exif(image):
    exif = image.getexif()
    exif[0x0112] = 6
    return {"exif": exif}


def blank(mode, color):
    return Image.new(mode, (SIDE, SIDE), color)


LARGE = {
    "RGBA.png": lambda: (blank("RGBA", (255, 255, 255, 254)), {"compress_level": 1}),
    "turned.png": lambda: (blank("RGB", "white"), {"compress_level": 1} | turned_by_exif(blank("L", 0))),
    "F.tiff": lambda: (blank("F", 1.5), {"compression": "tiff_lzw"}),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
@pytest.mark.parametrize("name", LARGE)
def test_the_largest_picture_takes_less_than_512_megabytes(tmp_path, name):
    image, options = LARGE[name]()
    image.save(tmp_path / name, **options)
    assert (tmp_path / name).stat().st_size < 10_000_000
    command = [sys.executable, "-c", PEAK, tmp_path / name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    assert said == "picture: expected a digit, found an empty picture"
    assert int(peak) < 512_000  # kilobytes
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"P6\n#" + b"x" * 5000 + b"\n10 10\n255\n" + bytes(300), "a PPM's header in the first 4,096 bytes"),
        (b"P6\n" + b"#x\n" * 2000 + b"10 10\n255\n" + bytes(300), "a PPM's header in the first 4,096 bytes"),
        (b"P6\n10 10\n#" + b"x" * 5000 + b"\n255\n" + bytes(300), "a PPM's header in the first 4,096 bytes"),
        (b"P2\n3000 1000\n9\n" + b"5 " * 3_000_000, "at most 4,194,304 bytes of a PPM as text"),
    ],
)
def test_a_ppm_that_pillow_would_be_long_at_is_refused(content, reason):
    with pytest.raises(PictureError, match=reason):
        decode(content, "some.ppm")


@pytest.mark.parametrize(
    "content",
    [b"P1 2 1 0 1", b"P2\n# black and white\n2 1\n9\n0 9\n", b"P5 2 # two\n1\r\n255\n\x00\xff", b"P4 2 1\n\x80"],
)
def test_a_ppm_with_comments_is_read(content):
    white_first = content[1:2] in b"14" and content[-1:] != b"\x80"
    assert decode(content, "some.ppm").tolist() == [[255, 0] if white_first else [0, 255]]


def test_a_damaged_tiff_gets_one_line_and_none_of_libtiffs_own(capfd):
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(file, "TIFF", compression="tiff_lzw")
    content = file.getvalue()
    with pytest.raises(PictureError, match=r"^some\.tif: expected a whole picture, found damaged data"):
        decode(content[:8] + bytes(60) + content[68:], "some.tif")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_grey_levels_as_it_turns_the_picture(orientation):
    """In rows and columns, from the meaning of the tag in EXIF 2.3, table "Orientation"."""
    image = Image.fromarray(np.array([[0, 50, 100], [150, 200, 250]], np.uint8))
    image.getexif()[0x0112] = orientation
    rows = {
        1: [[0, 50, 100], [150, 200, 250]],
        2: [[100, 50, 0], [250, 200, 150]],
        3: [[250, 200, 150], [100, 50, 0]],
        4: [[150, 200, 250], [0, 50, 100]],
        5: [[0, 150], [50, 200], [100, 250]],
        6: [[150, 0], [200, 50], [250, 100]],
        7: [[250, 100], [200, 50], [150, 0]],
        8: [[100, 250], [50, 200], [0, 150]],
    }
    assert grey(image).tolist() == rows[orientation]


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_pixels_are_stretched_over_the_whole_picture_and_not_by_parts(mode):
    values = np.repeat(np.arange(600)[:, None], 3, axis=1).astype(
        {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    )
    levels = grey(Image.fromarray(values))
    assert levels[[0, 300, 599], 0].tolist() == [0, 127, 255]


def test_deep_pixels_keep_their_order_far_from_zero_and_at_the_ends_of_their_range():
    for values, levels in (([1e6, 1e6 + 0.25, 1e6 + 1], [0, 63, 255]), ([-(2.0**31), 0, 2.0**31], [0, 127, 255])):
        assert grey(Image.fromarray(np.array([values], np.float32))).tolist() == [levels]
    assert grey(Image.fromarray(np.array([[-(2**31), 0, 2**31 - 1]], np.int32))).tolist() == [[0, 127, 255]]


def test_values_that_are_not_finite_count_as_zero():
    values = np.array([[np.nan, np.inf, -np.inf, 10, 20]], np.float32)
    assert grey(Image.fromarray(values)).tolist() == [[0, 0, 0, 127, 255]]
