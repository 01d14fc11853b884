"""Pictures from outside: what is read, what is refused, and what the largest that is accepted costs."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from mnist_reader.picture import MAX_PIXELS, MAX_SIDE, PictureError, decode, grey, grey_levels, read_bytes
from mnist_reader.preparation import digit_image
from tests.conftest import ROOT
from tests.mnist_reader.drawn import encoded, seven

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
    return exif


LARGE = {
    "RGBA.png": ("RGBA", (255, 255, 255, 254), {"compress_level": 1}),
    "turned.png": ("RGB", "white", {"compress_level": 1, "exif": turned_by_exif(Image.new("L", (1, 1)))}),
    "F.tiff": ("F", 1.5, {"compression": "tiff_lzw"}),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
@pytest.mark.parametrize("name", LARGE)
def test_the_largest_picture_takes_less_than_512_megabytes(tmp_path, name):
    mode, color, options = LARGE[name]
    Image.new(mode, (SIDE, SIDE), color).save(tmp_path / name, **options)
    assert (tmp_path / name).stat().st_size < 10_000_000
    command = [sys.executable, "-c", PEAK, tmp_path / name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    error, peak = done.stdout.splitlines()
    assert error == "picture: expected a digit, found an empty picture"
    assert int(peak) < 512_000  # kilobytes
    assert done.stderr == ""


def png_of(width, height):
    """A PNG that says it has this size, and ends before its pixels."""
    header = b"IHDR" + struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    pixels = struct.pack(">I4s", 1000, b"IDAT")
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + pixels


LONG_HEADER = "a PPM's header in the first 4,096 bytes"
REFUSED = [
    (b"seven", "expected a picture"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "found b'%!PS-Ado'"),
    (encoded(seven())[:200], "expected a whole picture"),
    (encoded(Image.new("L", (50, 50), "white")), "expected a digit, found an empty picture"),
    (png_of(9000, 9000), f"expected at most {MAX_PIXELS:,} pixels and"),
    (png_of(2**31 - 1, 2**31 - 1), f"expected at most {MAX_PIXELS:,} pixels, found more"),
    (png_of(40_000, 10), f"and {MAX_SIDE:,} a side, found 40,000 × 10"),
    (b"P6\n#" + b"x" * 5000 + b"\n10 10\n255\n" + bytes(300), LONG_HEADER),
    (b"P6\n" + b"#x\n" * 2000 + b"10 10\n255\n" + bytes(300), LONG_HEADER),
    (b"P6\n10 10\n#" + b"x" * 5000 + b"\n255\n" + bytes(300), LONG_HEADER),
    (b"P2\n3000 1000\n9\n" + b"5 " * 3_000_000, "at most 4,194,304 bytes of a PPM as text"),
    (np.zeros((5, 5)), "uint8"),
    (np.zeros((5, 5, 2), np.uint8), "uint8"),
    (np.zeros((0, 5), np.uint8), "an empty array"),
    (np.zeros(5, np.uint8), "uint8"),
]


@pytest.mark.parametrize(("picture", "expected"), REFUSED)
def test_what_holds_no_digit_is_refused_in_one_line(picture, expected):
    with pytest.raises(PictureError) as caught:
        digit_image(picture, "some.png")
    assert str(caught.value).startswith("some.png: expected ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("empty.png", "expected a picture, found an empty file"), ("none.png", "No such file"), ("", "Is a directory")],
)
def test_empty_and_unreadable_files_are_refused(tmp_path, name, reason):
    (tmp_path / "empty.png").touch()
    with pytest.raises(PictureError) as caught:
        read_bytes(str(tmp_path / name))
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "levels"),
    [
        (b"P1 2 1 0 1", [255, 0]),
        (b"P2\n# black and white\n2 1\n9\n0 9\n", [0, 255]),
        (b"P5 2 # two\n1\r\n255\n\x00\xff", [0, 255]),
        (b"P4 2 1\n\x80", [0, 255]),
    ],
)
def test_a_ppm_with_comments_is_read(content, levels):
    assert decode(content, "some.ppm").tolist() == [levels]


def test_a_damaged_tiff_gets_one_line_and_none_of_libtiffs_own(capfd):
    content = encoded(Image.effect_noise((64, 64), 60), "TIFF", compression="tiff_lzw")
    with pytest.raises(PictureError, match=r"^some\.tif: expected a whole picture, found damaged data"):
        decode(content[:8] + bytes(60) + content[68:], "some.tif")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("orientation", "rows"),
    [
        (1, [[0, 50, 100], [150, 200, 250]]),
        (2, [[100, 50, 0], [250, 200, 150]]),
        (3, [[250, 200, 150], [100, 50, 0]]),
        (4, [[150, 200, 250], [0, 50, 100]]),
        (5, [[0, 150], [50, 200], [100, 250]]),
        (6, [[150, 0], [200, 50], [250, 100]]),
        (7, [[250, 100], [200, 50], [150, 0]]),
        (8, [[100, 250], [50, 200], [0, 150]]),
    ],
)
def test_exif_turns_grey_levels_as_it_turns_the_picture(orientation, rows):
    """In rows and columns, from the meaning of the tag in EXIF 2.3, table "Orientation"."""
    image = Image.fromarray(np.array([[0, 50, 100], [150, 200, 250]], np.uint8))
    image.getexif()[0x0112] = orientation
    assert grey(image).tolist() == rows


RAMP = np.repeat(np.arange(600)[:, None], 3, axis=1)  # taller than the strips in which a picture is converted


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_deep_pixels_are_stretched_over_the_whole_picture_and_not_by_parts(kind):
    assert grey(Image.fromarray(RAMP.astype(kind)))[[0, 300, 599], 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize(
    ("values", "kind", "levels"),
    [
        ([1e6, 1e6 + 0.25, 1e6 + 1], np.float32, [0, 63, 255]),
        ([-(2.0**31), 0, 2.0**31], np.float32, [0, 127, 255]),
        ([-(2**31), 0, 2**31 - 1], np.int32, [0, 127, 255]),
        ([np.nan, np.inf, -np.inf, 10, 20], np.float32, [0, 0, 0, 127, 255]),
    ],
)
def test_deep_pixels_keep_their_order_and_those_that_are_not_finite_count_as_zero(values, kind, levels):
    assert grey_levels(Image.fromarray(np.array([values], kind)), "some").tolist() == [levels]
