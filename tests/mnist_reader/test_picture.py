"""Pictures from outside: what is read, what is refused, and what the largest that is accepted costs."""

import array
import base64
import io
import mmap
import os
import socket
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageDraw

from mnist_reader.picture import (
    MAX_PIXELS,
    MAX_SIDE,
    PictureError,
    decode,
    from_data_url,
    grey,
    grey_levels,
    grey_picture,
    read_bytes,
)
from mnist_reader.preparation import digit_image
from tests.conftest import ROOT
from tests.fuzz.costly import chunk, jpeg_of_scans, png, tiff_of_equal_strips, tiff_of_large_tiles
from tests.mnist_reader.drawn import encoded, seven


def png_start(width, height, bits=8, color=0, interlaced=0):
    """A PNG's signature and header."""
    return png(width, height, bits, color, interlaced, rows=b"")[: -len(chunk(b"IEND"))]


def png_of(width, height, bits=8, color=0, interlaced=0):
    """A PNG that says it has this size, and ends before its pixels."""
    return png_start(width, height, bits, color, interlaced) + struct.pack(">I4s", 1000, b"IDAT")


class Reads:
    """A file of one's own that gives the same, or raises it, at each read."""

    def __init__(self, given):
        self.given = given

    def read(self, _):
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


LONG_HEADER = "a PPM's header in the first 4,096 bytes"
REFUSED = [
    (b"seven", "expected a picture"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "found b'%!PS-Ado'"),
    (encoded(seven())[:200], "expected a whole picture"),
    (encoded(Image.new("L", (50, 50), "white")), "expected a digit, found an empty picture"),
    (png_of(9000, 9000), f"expected at most {MAX_PIXELS:,} pixels and"),
    (png_of(8000, 7000, color=2), "expected at most 50,000,000 pixels and"),
    (png_of(6000, 5000, color=6), "expected at most 25,000,000 pixels and"),
    (png_of(6000, 5000, bits=16), "expected at most 25,000,000 pixels and"),
    (png_of(6000, 5000, interlaced=1), "expected at most 25,000,000 pixels and"),
    (png_of(4000, 4000, 16, 2), "expected at most 12,500,000 pixels and"),
    (b"P6 500 500 100\n" + bytes(750_000), "expected at most 166,666 pixels and"),
    (
        jpeg_of_scans(1000, 1000, 3_300),
        "expected fewer scans or pixels, found 3,301 scans of 1,000 × 1,000 in 1 colours",
    ),
    (jpeg_of_scans(8000, 8000, 2, 0xC2, 3), "expected fewer scans or pixels, found 3 scans of 8,000 × 8,000 in 3"),
    (jpeg_of_scans(8, 8, 40_001), "expected at most 40,000 parts"),
    (png(8, 8, before=chunk(b"abCd") * 40_001), "expected at most 40,000 parts"),
    (tiff_of_equal_strips(100, 1000, 10_000), "expected strips that lie one after another, found overlapping ones"),
    (tiff_of_large_tiles(4000), "expected tiles that fit 10 × 10 pixels, found 4,000 × 4,000"),
    (b"P2 9 9 255\n" + b"#\n" * 1001 + b"5 " * 81, "expected at most 1,000 comments in a PPM as text"),
    (png_of(2**31 - 1, 2**31 - 1), f"expected at most {MAX_PIXELS:,} pixels, found more"),
    (png_of(40_000, 10), f"and {MAX_SIDE:,} a side, found 40,000 × 10"),
    (b"P6\n#" + b"x" * 5000 + b"\n10 10\n255\n" + bytes(300), LONG_HEADER),
    (b"P6\n" + b"#x\n" * 2000 + b"10 10\n255\n" + bytes(300), LONG_HEADER),
    (b"P6\n10 10\n#" + b"x" * 5000 + b"\n255\n" + bytes(300), LONG_HEADER),
    (b"P2\n3000 1000\n9\n" + b"5 " * 3_000_000, "at most 4,194,304 bytes of a PPM as text"),
    (np.zeros((5, 5)), "found float64 (5, 5); multiply by 255 and convert to uint8"),
    (np.ones((5, 5), np.float32), "found float32 (5, 5); multiply by 255 and convert to uint8"),
    (np.zeros((5, 5), bool), "found bool (5, 5); multiply by 255 and convert to uint8"),
    (np.full((5, 5), np.nan), "found float64 (5, 5)"),
    (np.zeros((5, 5), object), "found object (5, 5)"),
    (np.zeros((5, 5, 2), np.uint8), "uint8"),
    (np.zeros((0, 5), np.uint8), "an empty array"),
    (np.zeros((0, 5)), "found float64 (0, 5)"),
    (np.zeros(5, np.uint8), "expected a picture (PNG, "),
    (np.zeros(5, np.int8), "found int8 (5,)"),
    (np.broadcast_to(np.uint8(0), (2**20, 2**20)), "found 1,048,576 × 1,048,576"),
    (Image.new("1", (40_000, 10)), "found 40,000 × 10"),
    (iter([b"seven"]), "found list_iterator"),
    (10**400, "found int"),
    (object(), "found object"),
    (memoryview(b"seven")[::2], "expected a picture (PNG, "),
    (Reads("seven"), "expected a binary file, found one that gives str"),
    (Reads([115, 101]), "expected a binary file, found one that gives list"),
    (Reads(None), "found an empty file"),
    (Reads(RuntimeError("no more")), "a closed or damaged one: no more"),
    (np.array(5, np.uint8), "uint8"),
    (None, "expected a path, bytes, a binary file, a Pillow image or an array, found NoneType"),
    (7, "found int"),
    ([[0, 255]], "found list"),
    (np.uint8(7), "found uint8"),
    (io.StringIO("seven"), "found StringIO"),
    (io.BytesIO(), "found an empty file"),
    (b"", "expected a picture (PNG,"),
    (Image.new("L", (0, 0)), "found one of 0 × 0 pixels"),
    (Image.new("RGB", (0, 5)), "found one of 0 × 5 pixels"),
    (Image.open(io.BytesIO(encoded(seven())[:200])), "a closed or damaged one: image file is truncated"),
    ("data:", "expected data:image/…;base64,…, found 'data:'"),
    ("data:text/plain;base64,c2V2ZW4=", "expected data:image/…;base64,…, found 'data:text/plain;base64,c2V2ZW4='"),
    ("data:image/png,seven", "expected data:image/…;base64,…"),
    ("data:image/png;base64,c2V2ZW4", "damaged data: Incorrect padding"),
    ("data:image/png;base64,c2V2ZW4=!", "expected a data URL with whole base64"),
    ("data:image/png;base64,é", "expected a data URL with whole base64"),
    ("data:image/png;base64,c2V2ZW4=", "found b'seven'"),
    ("data:image/png;base64,", "found b''"),
]


@pytest.mark.parametrize(("picture", "expected"), REFUSED)
def test_what_holds_no_digit_is_refused_in_one_line(picture, expected):
    with pytest.raises(PictureError) as caught:
        digit_image(picture, "some.png")
    assert str(caught.value).startswith("some.png: expected ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("highest", [200, -1, np.nan])
def test_nobody_is_told_to_multiply_what_is_not_0_to_1(highest):
    with pytest.raises(PictureError) as caught:
        grey_levels(np.array([[0.0, highest]]), "some")
    assert str(caught.value) == "some: expected uint8 (rows, columns) or (rows, columns, 3), found float64 (1, 2)"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty.png", "expected a picture, found an empty file"),
        ("none.png", "expected a readable file, found: No such file"),
        ("", "expected a readable file, found a folder"),
    ],
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
    assert decode(content, "some.ppm").levels.tolist() == [levels]


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


def lying(form, **options):
    """A picture of which EXIF or XMP says that it lies on its side, without the rest of what may be said there."""
    return encoded(Image.fromarray(np.kron([[0, 50], [200, 250]], np.ones((32, 48))).astype(np.uint8)), form, **options)


EXIF_6 = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
XMP_6 = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PROFILE = zlib.compress(b"\nexif\n      32\n" + (b"Exif\0\0" + EXIF_6).hex().encode())
XMP_CHUNK = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP_6)
LYING = {
    "JPEG": lambda: lying("JPEG", exif=b"Exif\0\0" + EXIF_6),
    "JPEG, XMP": lambda: lying("JPEG", xmp=XMP_6),
    "PNG": lambda: lying("PNG", exif=EXIF_6),
    "PNG, XMP": lambda: after_header(lying("PNG"), XMP_CHUNK),
    "PNG, packed XMP": lambda: after_header(
        lying("PNG"), chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP_6))
    ),
    "PNG, ImageMagick": lambda: after_header(lying("PNG"), chunk(b"zTXt", b"Raw profile type exif\0\0" + PROFILE)),
    "TIFF": lambda: lying("TIFF", tiffinfo={0x0112: 6}),
    "TIFF, big": lambda: lying("TIFF", tiffinfo={0x0112: 6}, big_tiff=True),
    "TIFF, XMP": lambda: lying("TIFF", tiffinfo={700: XMP_6}),
    "WEBP": lambda: lying("WEBP", lossless=True, exif=EXIF_6),
    "WEBP, XMP": lambda: lying("WEBP", lossless=True, xmp=XMP_6),
    "AVIF": lambda: lying("AVIF", quality=100, exif=EXIF_6),
}


def after_header(content, more):
    """A PNG with another chunk."""
    return content[:33] + more + content[33:]


@pytest.mark.parametrize("form", LYING)
def test_a_file_is_turned_by_what_it_says_wherever_it_says_it(form):
    levels, size = grey_picture(LYING[form](), "some")
    assert size == levels.shape[::-1] == (64, 96)
    np.testing.assert_allclose(levels[24::48, 16::32].astype(int), [[200, 0], [250, 50]], atol=3)


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


def run_program(program, folder):
    """The lines that a Python program prints in this folder."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=folder, env=environment, input=b"", capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


SPECIAL = """
from mnist_reader.picture import PictureError, read_bytes
for path in ("pipe", "link", "socket", "/dev/zero", "/dev/stdin", "/dev/fd/0"):
    try:
        read_bytes(path)
    except PictureError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has none of these")
def test_pipes_devices_and_sockets_are_refused_without_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert run_program(SPECIAL, tmp_path) == [
            "pipe: expected a readable file, found a pipe; - reads standard input",
            "link: expected a readable file, found a pipe; - reads standard input",
            "socket: expected a readable file, found a socket",
            "/dev/zero: expected a readable file, found a device",
            "/dev/stdin: expected a readable file, found a pipe; - reads standard input",
            "/dev/fd/0: expected a readable file, found a pipe; - reads standard input",
        ]


def closed_image(loaded):
    with Image.open(io.BytesIO(encoded(seven()))) as image:
        if loaded:
            image.load()
    image.close()
    return image


def closed_file():
    file = io.BytesIO(encoded(seven()))
    file.close()
    return file


def released_view():
    view = memoryview(encoded(seven()))
    view.release()
    return view


CLOSED = [lambda: closed_image(True), lambda: closed_image(False), closed_file, released_view]


@pytest.mark.parametrize("closed", CLOSED)
def test_what_is_closed_is_refused_in_one_line(closed):
    with pytest.raises(PictureError, match=r"^some: expected a picture that can be loaded, found a closed or damaged "):
        grey_levels(closed(), "some")


def in_memory(content):
    """A map of memory, as of a file."""
    mapped = mmap.mmap(-1, len(content))
    mapped.write(content)
    return mapped


def in_a_zip(content):
    """A file that is open in an archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("seven.png", content)
    return zipfile.ZipFile(archive).open("seven.png")


@pytest.mark.parametrize(
    "form",
    [
        bytearray,
        memoryview,
        lambda content: memoryview(np.repeat(np.frombuffer(content, np.uint8), 2))[::2],
        lambda content: np.frombuffer(content, np.uint8),  # as OpenCV's imencode
        lambda content: array.array("B", content),
        in_memory,
        io.BytesIO,
        in_a_zip,
        lambda content: "data:image/png;base64," + base64.b64encode(content).decode(),
        lambda content: "Data:image/x-PNG;Base64," + base64.b64encode(content).decode(),
    ],
)
def test_a_files_bytes_are_read_in_whatever_form(form):
    np.testing.assert_array_equal(grey_levels(form(encoded(seven())), "some"), np.asarray(seven()))


def test_paths_and_open_files_are_read(tmp_path):
    seven().save(tmp_path / "seven.png")
    with (tmp_path / "seven.png").open("rb") as file:
        for picture in (tmp_path / "seven.png", str(tmp_path / "seven.png"), file):
            np.testing.assert_array_equal(grey_levels(picture, "some"), np.asarray(seven()))


def test_a_data_url_gives_the_bytes_that_it_holds():
    assert from_data_url("data:image/svg+xml;base64,c2V2ZW4=", "some") == b"seven"


MASK = np.asarray(seven()) < 128  # where there is ink
HARD = Image.fromarray(np.where(MASK, 255, 0).astype(np.uint8))  # the same as an alpha channel


def gray_alpha(ink):
    return Image.merge("LA", (Image.new("L", HARD.size, ink), HARD))


def indexed(clear, ink):
    """A picture of indices, 0 = clear and 1 = ink, and their levels."""
    image = Image.fromarray(MASK.astype(np.uint8)).convert("P")
    image.putpalette([clear] * 3 + [ink] * 3)
    return image


def indexed_alpha(ink):
    image = indexed(ink, ink)
    image.putalpha(HARD)
    return image


def color_key(ink, mode, clear, key):
    """A PNG with one transparent colour, by pixels of `clear` and the number or numbers `key`."""
    image = Image.new(mode, HARD.size, clear)
    image.paste(ink if mode != "RGB" else (ink,) * 3, mask=HARD)
    return encoded(image, transparency=key)


def sixteen_bits(ink):
    """A PNG in RGB and alpha of 16 bits, which Pillow reads but does not write."""
    pixels = np.zeros((*MASK.shape, 4), ">u2")
    pixels[..., :3] = 257 * ink
    pixels[..., 3] = np.where(MASK, 65535, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return png_start(*HARD.size, 16, 6) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


TRANSPARENT = {
    "RGBA": lambda ink: encoded(gray_alpha(ink).convert("RGBA")),
    "RGBA.webp": lambda ink: encoded(gray_alpha(ink).convert("RGBA"), "WEBP", lossless=True),
    "RGBA.tiff": lambda ink: encoded(gray_alpha(ink).convert("RGBA"), "TIFF"),
    "RGBA, 16 bits": sixteen_bits,
    "RGBA, array": lambda ink: np.asarray(gray_alpha(ink).convert("RGBA")),
    "RGBa": lambda ink: gray_alpha(ink).convert("RGBA").convert("RGBa"),
    "LA": lambda ink: encoded(gray_alpha(ink)),
    "PA": indexed_alpha,
    "P, alphas": lambda ink: encoded(indexed(ink, ink), transparency=b"\0\xff"),
    "P, index": lambda ink: encoded(indexed(128, ink), transparency=0),
    "GIF": lambda ink: encoded(indexed(128, ink), "GIF", transparency=0),
    "RGB, colour": lambda ink: color_key(ink, "RGB", (9, 8, 7), (9, 8, 7)),
    "L, level": lambda ink: color_key(ink, "L", 128, 128),
    "1": lambda ink: color_key(ink, "1", 255 - ink, 1 - ink // 255),
    "I;16": lambda ink: color_key(257 * ink, "I;16", 65535 - 257 * ink, 65535 - 257 * ink),
}


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("form", TRANSPARENT)
def test_visible_ink_is_put_on_paper_of_the_other_colour(form, ink):
    picture = TRANSPARENT[form](ink)
    levels = np.where(MASK, ink, 255 - ink).astype(np.uint8)
    np.testing.assert_array_equal(grey_levels(picture, "some"), levels)
    np.testing.assert_array_equal(digit_image(picture), digit_image(levels))


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize(("mode", "form"), [("1", "PNG"), ("CMYK", "TIFF"), ("CMYK", "JPEG"), ("I;16", "PNG")])
def test_opaque_ink_is_read_in_every_mode(mode, form, ink):
    levels = np.where(MASK, ink, 255 - ink).astype(np.uint8)
    image = Image.fromarray(levels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(levels).convert(mode)
    assert image.mode == mode
    difference = digit_image(encoded(image, form)).astype(int) - digit_image(levels)
    assert np.abs(difference).max() <= (0 if form != "JPEG" else 25)


@pytest.mark.parametrize(
    ("color", "paper"),
    [((0, 0, 0), 255), ((220, 0, 0), 255), ((0, 0, 255), 255), ((255, 230, 0), 0), ((120, 220, 255), 0)],
)
def test_coloured_ink_is_put_on_the_paper_that_it_is_seen_on(color, paper):
    image = Image.new("RGBA", HARD.size, (*color, 0))
    image.putalpha(HARD)
    levels = grey(image)
    assert levels[0, 0] == paper
    assert abs(int(levels[MASK][0]) - paper) > 100


@pytest.mark.parametrize("paper", [0, 255])
def test_visible_paper_goes_on_where_a_corner_is_transparent(paper):
    levels = np.where(MASK, 255 - paper, paper).astype(np.uint8)
    image, alpha = Image.fromarray(levels).convert("RGBA"), Image.new("L", HARD.size)
    ImageDraw.Draw(alpha).rounded_rectangle((0, 0, 199, 199), 30, fill=255)
    image.putalpha(alpha)
    assert image.getpixel((0, 0))[3] == 0
    np.testing.assert_array_equal(grey(image), levels)


def test_ink_is_ink_where_it_covers_most_of_the_picture():
    alpha = Image.new("L", (100, 100), 255)
    alpha.paste(0, (0, 0, 100, 20))
    image = Image.merge("LA", (Image.new("L", (100, 100), 255), alpha))
    assert grey(image)[[0, 50], 50].tolist() == [0, 255]


def test_half_visible_ink_is_as_dark_as_it_looks():
    image = Image.new("LA", (100, 100), (0, 0))
    image.paste((0, 51), (40, 10, 60, 90))  # a fifth
    assert grey(image)[[0, 50], 50].tolist() == [255, 204]


def test_the_paper_of_a_large_picture_is_that_of_all_its_parts():
    image = Image.new("LA", (10, 900), (0, 0))
    image.paste((0, 255), (4, 10, 6, 40))
    image.paste((255, 255), (4, 500, 6, 800))
    assert set(grey(image)[[0, 450, 899], 0]) == {0}


def test_a_picture_without_anything_visible_is_empty():
    with pytest.raises(PictureError, match="found an empty picture"):
        digit_image(Image.new("RGBA", (50, 50), (0, 0, 0, 0)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LA", "PA", "RGBA", "RGBa"])
def test_an_opaque_picture_has_the_levels_that_pillow_gives(mode):
    noise = np.random.default_rng(0).integers(0, 256, (300, 20, 3), np.uint8)
    image = Image.fromarray(noise)
    image = image.convert("RGBA").convert(mode) if mode == "RGBa" else image.convert(mode)
    np.testing.assert_array_equal(grey(image), np.asarray(image.convert("L")))


def heic(image, **options):
    """The bytes of a HEIC file."""
    file = io.BytesIO()
    pillow_heif.encode(image.mode, image.size, image.tobytes(), file, quality=-1, **options)
    return file.getvalue()


@pytest.mark.parametrize("ink", [0, 255])
def test_a_heic_picture_is_read(ink, tmp_path):
    levels = np.where(MASK, ink, 255 - ink).astype(np.uint8)
    clear = gray_alpha(ink).convert("RGBA")
    (tmp_path / "photo.heic").write_bytes(heic(Image.fromarray(levels)))
    for picture in (tmp_path / "photo.heic", heic(Image.fromarray(levels)), heic(clear)):
        np.testing.assert_allclose(grey_levels(picture, "some").astype(int), levels, atol=1)  # of YCbCr


@pytest.mark.parametrize(("orientation", "corner"), list(enumerate([0, 50, 250, 200, 0, 200, 250, 50], 1)))
def test_a_heic_picture_is_turned_once(orientation, corner):
    """The level of the upper left quarter, from EXIF 2.3; the file says it twice, as those of phones do."""
    image = Image.fromarray(np.kron([[0, 50], [200, 250]], np.ones((32, 48))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = heic(image, exif=exif.tobytes())
    assert exif.tobytes()[6:] in content
    assert (b"irot" in content or b"imir" in content) == (orientation > 1)
    levels, size = grey_picture(content, "some")
    assert abs(int(levels[8, 8]) - corner) <= 1
    assert size == levels.shape[::-1] == ((96, 64) if orientation < 5 else (64, 96))


def test_a_heic_picture_that_is_too_large_is_refused_before_it_is_decoded():
    content = heic(Image.new("L", (64, 64)))
    assert content.count(struct.pack(">2I", 64, 64)) == 1
    with pytest.raises(PictureError, match=r"^some: expected at most 25,000,000 pixels .*, found 6,000 × 5,000$"):
        decode(content.replace(struct.pack(">2I", 64, 64), struct.pack(">2I", 6000, 5000)), "some")


@pytest.mark.parametrize("brand", [b"avif", b"mif1"])
def test_an_avif_picture_is_none_of_heic(brand):
    content = encoded(seven(), "AVIF", quality=100)
    levels = decode(content[:8] + brand + content[12:], "some").levels
    np.testing.assert_allclose(levels.astype(int), np.asarray(seven()), atol=8)


WITHOUT_HEIF = """
import sys
from pathlib import Path
from PIL import Image
sys.modules["pillow_heif"] = None  # as if it were not installed
from mnist_reader.picture import PictureError, grey_levels
for picture in ("photo.heic", Path("photo.heic").read_bytes(), b"\\0\\0\\0\\x18ftypmif1\\0\\0\\0\\0mif1heic"):
    try:
        grey_levels(picture, "some")
    except PictureError as error:
        print(error)
print(grey_levels("seven.png", "some").shape)
"""


def test_without_pillow_heif_a_heic_picture_is_refused_in_one_line(tmp_path):
    seven().save(tmp_path / "seven.png")
    (tmp_path / "photo.heic").write_bytes(heic(seven()))
    formats = "PNG, JPEG, WEBP, GIF, BMP, TIFF, PPM, AVIF"
    line = f"expected a picture ({formats}), found a HEIC picture; pip install pillow-heif"
    assert run_program(WITHOUT_HEIF, tmp_path) == [
        f"photo.heic: {line}",
        f"some: {line}",
        f"some: {line}",
        "(200, 200)",
    ]


WITH_HEIF = """
import sys
from PIL import Image
from mnist_reader.picture import grey_levels
grey_levels("seven.png", "some")
print("pillow_heif" in sys.modules)
print(grey_levels("photo.heic", "some").shape, "pillow_heif" in sys.modules, "HEIF" in Image.OPEN)
"""


def test_pillow_heif_is_imported_for_heic_alone_and_changes_nothing_for_others(tmp_path):
    seven().save(tmp_path / "seven.png")
    (tmp_path / "photo.heic").write_bytes(heic(seven()))
    assert run_program(WITH_HEIF, tmp_path) == ["False", "(200, 200) True False"]


@pytest.fixture
def alarming(monkeypatch):
    """A picture of which Pillow warns when it is opened."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30_000)  # more than half as many
    content = encoded(seven())
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(content))
    return content


def test_pillows_warnings_do_not_show(alarming):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        grey_levels(alarming, "some")
    assert seen == []


def test_the_warning_filters_stay_as_they_are_while_eight_threads_read(alarming):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            readings = [pool.submit(grey_levels, alarming, "some") for _ in range(400)]
            while not all(reading.done() for reading in readings):
                with pytest.raises(UserWarning, match="the program's own"):
                    warnings.warn("the program's own", stacklevel=1)
        assert warnings.filters == before
    assert {reading.result().shape for reading in readings} == {(200, 200)}


def test_filters_that_the_program_changes_while_a_picture_is_read_stay_changed():
    class File(io.BytesIO):
        def read(self, *size):
            warnings.resetwarnings()
            warnings.simplefilter("ignore", ResourceWarning)
            return super().read(*size)

    with warnings.catch_warnings():
        grey(Image.open(File(encoded(seven()))))
        assert warnings.filters == [("ignore", None, ResourceWarning, None, 0)]
