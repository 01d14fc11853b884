"""Of a picture's file only what its pixels need, so that nothing else in the file can cost time or memory.

Pillow reads comments, profiles, EXIF and further pictures in Python, as many and as large as a file says they are. Here
they are left out before Pillow sees the file, and what is left is counted, because a file can repeat its scans, chunks
and strips at a few bytes each.
"""

import math
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np

MAX_PARTS = 40_000  # segments, chunks, blocks or strips; the longest TIFF may have a strip for each of 32,767 rows
MAX_TEXT = 2**20  # bytes of a text in a PNG, unpacked
MAX_TILES = 2**22  # pixels of all tiles, at least; above, twice the picture's
ORIENTATION = 0x0112  # an EXIF tag
XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=[\"']|>)([1-8])")

# ITU-T T.81, table B.1
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")  # not a stuffed byte, a fill byte or a restart in the entropy data
START_OF_IMAGE, END_OF_IMAGE, SCAN, EXIF_OR_XMP = 0xD8, 0xD9, 0xDA, 0xE1
JPEG_KEPT = {*range(0xC0, 0xD0), END_OF_IMAGE, SCAN, 0xDB, 0xDD, 0xE0, 0xEE}  # frames, tables, restarts, colours
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"

PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
PNG_EXIF, PNG_XMP = b"Raw profile type exif", b"XML:com.adobe.xmp"  # ImageMagick's and Adobe's keywords

GIF_BLOCK = re.compile(rb"[!,;]")  # extension, image, end
GIF_CONTROL = 0xF9  # the extension that names the transparent colour

# TIFF 6.0: size, bits, compression, colours, strips, fax, predictor, palette, tiles, samples, JPEG, YCbCr
TIFF_KEPT = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 338, 339}
TIFF_KEPT |= {347, *range(512, 522), *range(529, 533)}
TIFF_XMP = 700
TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
TIFF_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 16: "u8"}
TIFF_JPEG = (6, 7)  # compressions

Part = TypeVar("Part")


class CostError(Exception):
    """A file that would take too long; the text says what was expected and what was found."""


class Essentials(NamedTuple):
    """What is left of a file."""

    content: bytes
    orientation: int | None = None  # as EXIF numbers it; None where it is not known from the file alone
    scans: int = 1  # passes over the pixels


def essentials(content: bytes) -> Essentials:
    """What the first picture in a file needs; the file itself, where its format has nothing that costs.

    Raises:
        CostError: more than MAX_PARTS, strips that overlap, or tiles that are larger than the picture.
        Exception: whatever a damaged file leads to, such as `struct.error`.
    """
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(content)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return _gif(content)
    if content.startswith((b"II", b"MM")):
        return _tiff(content)
    return Essentials(_without_exif(content)) if content[4:8] == b"ftyp" else Essentials(content)


def exif_orientation(exif: bytes, xmp: bytes = b"") -> int:
    """The orientation in EXIF's bytes, 1 to 8; else in XMP's text; else 1. Nothing else in them is read."""
    exif = exif.removeprefix(EXIF)
    if exif[:4] in (b"II*\0", b"MM\0*"):
        order = "<" if exif[:2] == b"II" else ">"
        start = int.from_bytes(exif[4:8], "little" if order == "<" else "big")
        entries = exif[start + 2 :]
        for tag, _, _, value in struct.iter_unpack(f"{order}HHIH2x", entries[: len(entries) // 12 * 12][: 12 * 1000]):
            if tag == ORIENTATION:
                return value if value in range(1, 9) else 1
    found = XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def _counted(parts: Iterable[Part]) -> Iterator[Part]:
    for number, part in enumerate(parts):
        _check_parts(number)
        yield part


def _check_parts(number: int) -> None:
    if number > MAX_PARTS:
        raise CostError(f"expected at most {MAX_PARTS:,} parts, such as chunks or strips, found more")


def _jpeg(content: bytes) -> Essentials:
    """Tables, frames and scans, up to the first picture's end."""
    view = memoryview(content)
    kept, exif, xmp, scans = [view[:2]], b"", b"", 0
    for marker, start, end in _counted(_segments(content)):
        scans += marker == SCAN
        if marker in JPEG_KEPT:
            kept.append(view[start:end])
        elif marker == EXIF_OR_XMP and content.startswith(EXIF, start + 4):
            exif = exif or content[start + 4 : end]
        elif marker == EXIF_OR_XMP and content.startswith(XMP, start + 4):
            xmp = xmp or content[start + 4 : end]
    return Essentials(b"".join(kept), exif_orientation(exif, xmp), scans)


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment of a JPEG; that of a scan has its entropy data."""
    at = 2
    while found := MARKER.search(content, at):
        start, at, marker = found.start(), found.end(), content[found.start() + 1]
        if marker >= 0xC0 and marker not in (START_OF_IMAGE, END_OF_IMAGE):  # the others have no length
            at += max(2, int.from_bytes(content[at : at + 2]))
        if marker == SCAN:
            after = MARKER.search(content, at)
            at = after.start() if after else len(content)
        yield marker, start, at
        if marker == END_OF_IMAGE:
            return


def _png(content: bytes) -> Essentials:
    """Header, palette, transparency and pixels."""
    view = memoryview(content)
    kept, texts = [view[:8]], {}
    for name, start, end in _counted(_chunks(content)):
        if name in PNG_KEPT:
            kept.append(view[start:end])
        elif name == b"eXIf" or content.startswith((PNG_EXIF, PNG_XMP), start + 8):
            texts[name] = content[start + 8 : end - 4]
    exif = texts.get(b"eXIf") or _from_hex(_unpacked(texts.get(b"zTXt", b"")))
    return Essentials(b"".join(kept), exif_orientation(exif, _international(texts.get(b"iTXt", b""))))


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, end) of each chunk of a PNG."""
    at, name = 8, b""
    while at + 8 <= len(content) and name != b"IEND":
        length, name = struct.unpack_from(">I4s", content, at)
        yield name, at, at + 12 + length
        at += 12 + length


def _unpacked(text: bytes) -> bytes:
    """What a zTXt chunk says after its keyword and one byte."""
    return _inflated(text.partition(b"\0")[2][1:])


def _international(text: bytes) -> bytes:
    """What an iTXt chunk says after its keyword, two flags, the language and the translated keyword."""
    rest = text.partition(b"\0")[2]
    said = rest[2:].split(b"\0", 2)[-1]
    return _inflated(said) if rest[:1] == b"\1" else said


def _inflated(packed: bytes) -> bytes:
    return zlib.decompressobj().decompress(packed, MAX_TEXT)


def _from_hex(profile: bytes) -> bytes:
    """An ImageMagick profile: three lines, and hexadecimal digits."""
    return bytes.fromhex("".join(profile.decode("latin-1").split("\n")[3:]))


def _gif(content: bytes) -> Essentials:
    """Screen, palette, transparency, and all from the first image on."""
    flags = content[10]
    at = start = 13 + (3 << (flags & 7) + 1) * (flags >> 7)
    control, parts = b"", 0
    while (found := GIF_BLOCK.search(content, at)) and found[0] == b"!":
        end = found.start() + 2
        while size := content[end]:
            end += 1 + size
            parts += 1
            _check_parts(parts)
        parts += 1
        _check_parts(parts)
        at = end + 1
        if content[found.start() + 1] == GIF_CONTROL:
            control = content[found.start() : at]
    return Essentials(content[:start] + control + (content[found.start() :] if found else b""))


def _tiff(content: bytes) -> Essentials:
    """The file with a directory of its own, which names only what the pixels need and nothing twice."""
    order, big = "<" if content[:2] == b"II" else ">", 43 in content[2:4]
    at, number, entry = (8, "Q", struct.Struct(f"{order}HHQ8s")) if big else (4, "I", struct.Struct(f"{order}HHI4s"))
    (start,) = struct.unpack_from(order + number, content, at)
    count_form = order + ("Q" if big else "H")
    (count,) = struct.unpack_from(count_form, content, start)
    _check_parts(count)
    start += struct.calcsize(count_form)
    entries: dict[int, tuple[int, int, bytes]] = {}
    for tag, kind, values, place in entry.iter_unpack(content[start : start + count * entry.size]):
        if kind in TIFF_SIZES:
            entries.setdefault(tag, (kind, values, place))
    tags = {tag: _tiff_bytes(content, order, *entries[tag]) for tag in (ORIENTATION, TIFF_XMP) if tag in entries}
    kept = {tag: entries[tag] for tag in sorted(TIFF_KEPT & entries.keys())}
    scans = _check_tiff(content, order, kept)
    orientation = int.from_bytes(tags.get(ORIENTATION, b"")[:2], "little" if order == "<" else "big")
    directory = struct.pack(count_form, len(kept)) + b"".join(entry.pack(tag, *rest) for tag, rest in kept.items())
    place, end = struct.pack(order + number, len(content) + len(content) % 2), at + struct.calcsize(number)
    new = b"".join([content[:at], place, content[end:], bytes(len(content) % 2), directory, bytes(8)])
    if orientation not in range(1, 9):
        orientation = exif_orientation(b"", tags.get(TIFF_XMP, b""))
    return Essentials(new, orientation, scans)


def _tiff_bytes(content: bytes, order: str, kind: int, number: int, place: bytes) -> bytes:
    """The values of a tag, which lie in its entry or elsewhere."""
    size = TIFF_SIZES[kind] * number
    if size <= len(place):
        return place[:size]
    start = int.from_bytes(place, "little" if order == "<" else "big")
    return content[start : start + size]


def _check_tiff(content: bytes, order: str, kept: dict[int, tuple[int, int, bytes]]) -> int:
    """How many scans a strip has, at the mean; 1 where they are no JPEGs.

    Raises:
        CostError: see `essentials`.
    """
    values = {}
    for tag, (kind, number, place) in kept.items():
        _check_parts(number)
        if kind in TIFF_INTEGERS:
            of = _tiff_bytes(content, order, kind, number, place)
            values[tag] = np.frombuffer(
                of[: len(of) // TIFF_SIZES[kind] * TIFF_SIZES[kind]], order + TIFF_INTEGERS[kind]
            )
    if sum(int(values[tag].sum(dtype=np.float64)) for tag in (279, 325) if tag in values) > 2 * len(content):
        raise CostError("expected strips that lie one after another, found overlapping ones")
    width, height, across, down = (int(values[tag][0]) if tag in values else 0 for tag in (256, 257, 322, 323))
    if across and down:
        tiles = math.ceil(width / across) * across * math.ceil(height / down) * down
        if tiles > max(MAX_TILES, 2 * width * height):
            raise CostError(f"expected tiles that fit {width:,} × {height:,} pixels, found {across:,} × {down:,}")
    if 259 in values and values[259][0] in TIFF_JPEG:
        return math.ceil(content.count(bytes([0xFF, SCAN])) / max(len(values.get(273, values.get(324, ()))), 1))
    return 1


def _without_exif(content: bytes) -> bytes:
    """An AVIF or HEIC, whose EXIF Pillow would read, under a name that nobody knows; the turn is in other boxes.

    Source: ISO/IEC 14496-12, 4.2 (boxes) and 8.11.6 (types of items).
    """
    parts, at = [], 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4])
        if size == 1:
            size = int.from_bytes(content[at + 8 : at + 16])
        end = at + size if size >= 8 else len(content)
        box = content[at:end]
        parts.append(box if box[4:8] == b"mdat" else box.replace(b"Exif", b"none"))
        _check_parts(len(parts))
        at = end
    return b"".join(parts)
