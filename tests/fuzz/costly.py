"""Files below 10 MB that would cost much more to decode than they weigh, for each format that is read.

GROWING holds files whose headers, chunks or scans are many; LARGEST holds the largest pictures that are read, which
also are hard to decode.
"""

import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

MOST = 10_000_000  # bytes of a file
TIFF_TYPES = {"B": 1, "H": 3, "I": 4}


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def segment(marker, content=b""):
    """A segment of a JPEG."""
    return struct.pack(">2BH", 255, marker, len(content) + 2) + content


def jpeg_start(width, height, frame=0xC2, colours=1):
    """Tables that have a single code, and a frame."""
    parts = b"".join(bytes([number + 1, 0x11, 0]) for number in range(colours))
    tables = segment(0xC4, b"\0" + b"\1" + bytes(16)) + segment(0xC4, b"\x10\1" + bytes(15) + b"\xe0")
    size = struct.pack(">BHHB", 8, height, width, colours)
    return b"\xff\xd8" + segment(0xDB, bytes([0] + [1] * 64)) + segment(frame, size + parts) + tables


def jpeg_scan(first, last, colours=(1,), data=b""):
    parts = b"".join(bytes([number, 0]) for number in colours)
    return segment(0xDA, bytes([len(colours)]) + parts + bytes([first, last, 0])) + data


def jpeg_of_scans(width, height, count, frame=0xC2, colours=1):
    """A JPEG with scans that have no data: each is a pass over all blocks."""
    start = jpeg_start(width, height, frame, colours)
    if frame == 0xC2:
        return start + jpeg_scan(0, 0, range(1, colours + 1)) + jpeg_scan(1, 63) * count + b"\xff\xd9"
    scans = [jpeg_scan(0, 63, [number]) for number in range(1, colours + 1)]
    return start + b"".join(scans) * (count // colours) + b"\xff\xd9"


def jpeg_with(parts):
    """A small JPEG with this before its tables."""
    small = saved(Image.new("L", (8, 8)), "JPEG")
    return small[:2] + parts + small[2:]


def chunk(name, content=b""):
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, bits=8, colour=0, interlaced=0, rows=None, before=b"", after=b""):
    """A PNG whose rows all are predicted from their neighbours; or with these chunks of rows."""
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, bits, colour, 0, 0, interlaced))
    if rows is None:
        rows = chunk(b"IDAT", predicted(width, height, bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour], interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + before + rows + after + chunk(b"IEND")


def predicted(width, height, depth, interlaced):
    """Packed rows of noise with the filter that takes longest (Paeth), in the passes of Adam7 if interlaced."""
    packer, noise, packed = zlib.compressobj(1), np.random.default_rng(0).bytes(20_000), []
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for left, top, across, down in passes if interlaced else [(0, 0, 1, 1)]:
        length = (-(-(width - left) // across) * depth + 7) // 8
        row = b"\4" + (noise * (length // len(noise) + 1))[:length]
        packed += [packer.compress(row) for _ in range(top, height, down)]
    return b"".join([*packed, packer.flush()])


def tags(entries, order="<", start=8):
    """A TIFF's header and directory of {tag: (type, values)}; values that are bytes are written as they are."""
    place, fields, rest = start + 2 + 12 * len(entries) + 4, [], b""
    for tag, (kind, values) in entries.items():
        packed = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{kind}", *values)
        count = len(packed) // struct.calcsize(kind)
        if len(packed) > 4:
            fields.append(struct.pack(f"{order}HHII", tag, TIFF_TYPES[kind], count, place + len(rest)))
            rest += packed + bytes(len(packed) % 2)
        else:
            fields.append(struct.pack(f"{order}HHI4s", tag, TIFF_TYPES[kind], count, packed.ljust(4, b"\0")))
    return struct.pack("<2sHI", b"II", 42, start) + struct.pack("<H", len(fields)) + b"".join(fields) + bytes(4) + rest


def tiff(width, height, entries, data):
    """A grey TIFF of 8 bits whose strips or tiles lie in `data`, at the end of the file."""
    whole = {256: ("I", [width]), 257: ("I", [height]), 258: ("H", [8]), 262: ("H", [1]), 277: ("H", [1])} | entries
    start = len(tags(dict(sorted(whole.items()))))
    for tag in (273, 324):
        if tag in whole:
            whole[tag] = ("I", [start + offset for offset in whole[tag][1]])
    return tags(dict(sorted(whole.items()))) + data


def tiff_of_equal_strips(width, height, size):
    """A TIFF whose strips, a row each, are one and the same, of `size` bytes."""
    strip = zlib.compress(bytes(width)).ljust(size, b"\0")
    lengths = {259: ("H", [8]), 278: ("I", [1]), 279: ("I", [size] * height), 273: ("I", [0] * height)}
    return tiff(width, height, lengths, strip)


def tiff_of_large_tiles(side):
    """A TIFF of 10×10 pixels in a tile of this side."""
    tile = zlib.compress(bytes(side * side), 1)
    sizes = {322: ("I", [side]), 323: ("I", [side]), 324: ("I", [0]), 325: ("I", [len(tile)])}
    return tiff(10, 10, sizes | {259: ("H", [8])}, tile)


def tiff_of_frames(count):
    """A TIFF with directories that are chained."""
    first = saved(Image.new("L", (8, 8)), "TIFF")
    at = int.from_bytes(first[4:8], "little")
    number = int.from_bytes(first[at : at + 2], "little")
    place = at + 2 + 12 * number
    chain = b"".join(struct.pack("<HI", 0, len(first) + 6 * (index + 1)) for index in range(count - 1)) + bytes(6)
    return first[:place] + struct.pack("<I", len(first)) + first[place + 4 :] + chain


def directory(count, size):
    """EXIF in which many tags share the same bytes, as large as they are."""
    head = struct.pack("<2sHIH", b"II", 42, 8, count)
    place = 8 + 2 + 12 * count + 4
    entries = b"".join(struct.pack("<HHII", 40_000 + index, 7, size, place) for index in range(count))
    return head + entries + bytes(4 + size)


def tiff_of_tags(count, size):
    """A TIFF in which many tags share the same bytes."""
    whole = saved(Image.new("L", (8, 8)), "TIFF")
    at = int.from_bytes(whole[4:8], "little")
    number = int.from_bytes(whole[at : at + 2], "little")
    entries = whole[at + 2 : at + 2 + 12 * number]
    entries += b"".join(struct.pack("<HHII", 40_000 + index, 7, size, 0) for index in range(count))
    new = struct.pack("<H", number + count) + entries + bytes(4)
    return (whole[:4] + struct.pack("<I", len(whole)) + whole[8:] + new).ljust(size, b"\0")


def gif(width, height, before=b"", after=b""):
    """A grey GIF with this before and after its image."""
    whole = saved(Image.new("L", (width, height)), "GIF")
    image = whole.index(b",", 13 + (3 << (whole[10] & 7) + 1) * (whole[10] >> 7))
    return whole[:image] + before + whole[image:-1] + after + b";"


def bmp_of_runs(width, height, line):
    """A BMP whose rows all have this code of RLE8."""
    data = line * height + b"\0\1"
    start = 14 + 40 + 1024
    head = struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return head + info + bytes(1024) + data


def webp(parts):
    """A small WebP with further chunks."""
    whole = saved(Image.new("RGB", (16, 16)), "WEBP", exif=b"Exif\0\0" + directory(1, 8))
    return whole[:4] + struct.pack("<I", len(whole) - 8 + len(parts)) + whole[8:] + parts


def with_exif(form, size):
    """A small picture with EXIF of many tags; Pillow would read it if it were there when the picture is saved."""
    exif = directory(20_000, max(size - 250_000, 9))
    empty = exif[:8] + bytes([0, 0]) + b"?" * (len(exif) - 10)
    return small(form, exif=b"Exif\0\0" + empty).replace(empty, exif)


def small(form, image=None, **options):
    image, file = image or Image.new("L", (64, 64)), io.BytesIO()
    if form == "HEIC":
        pillow_heif.from_pillow(image).save(file, **options)
    else:
        image.save(file, form, **options)
    return file.getvalue()


def text_chunk(size):
    """A PNG's text that unpacks to this size."""
    return chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9))


def blocks(count, size):
    """A GIF's comment in blocks of this size."""
    return b"!\xfe" + (bytes([size]) + bytes(size)) * count + b"\0"


# By name: a file that grows with `size`, in bytes; no more than about 10 MB are asked for.
GROWING = {
    "JPEG, progressive, empty scans": lambda size: jpeg_of_scans(4000, 4000, size // 10),
    "JPEG, three colours, empty scans": lambda size: jpeg_of_scans(4000, 4000, size // 10, 0xC0, 3),
    "JPEG, segments": lambda size: jpeg_with(segment(0xFE) * (size // 4)),
    "JPEG, fill bytes": lambda size: jpeg_with(b"\xff" * size),
    "JPEG, no markers": lambda size: jpeg_with(bytes(size)),
    "JPEG, EXIF": lambda size: jpeg_with(segment(0xE1, b"Exif\0\0" + directory(2_000, 30_000)) * (size // 60_000)),
    "JPEG, MPF": lambda size: jpeg_with(segment(0xE2, b"MPF\0" + directory(2_000, 30_000)) * (size // 60_000)),
    "JPEG, ICC": lambda size: jpeg_with(segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) * (size // 60_000)),
    "JPEG, Photoshop": lambda size: jpeg_with(
        segment(0xED, b"Photoshop 3.0\0" + (b"8BIM\4\4" + bytes(6)) * 5_000) * (size // 60_000)
    ),
    "PNG, chunks": lambda size: png(8, 8, before=chunk(b"abCd") * (size // 12)),
    "PNG, empty data": lambda size: png(
        8, 8, rows=chunk(b"IDAT") * (size // 12) + chunk(b"IDAT", zlib.compress(bytes(72)))
    ),
    "PNG, chunks at the end": lambda size: png(8, 8, after=chunk(b"tEXt", b"a\0b") * (size // 15)),
    "PNG, packed texts": lambda size: png(8, 8, before=text_chunk(10**6) * (size // 1_100)),
    "PNG, packed EXIF": lambda size: png(
        8, 8, before=chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(2**22), 9)) * (size // 4_200)
    ),
    "PNG, EXIF": lambda size: png(8, 8, before=chunk(b"eXIf", directory(20_000, max(size - 250_000, 100)))),
    "PNG, frames": lambda size: png(
        8, 8, before=chunk(b"acTL", struct.pack(">2I", size // 38, 0)), after=chunk(b"fcTL", bytes(26)) * (size // 38)
    ),
    "PNG, blocks": lambda size: png(8, 8, rows=chunk(b"IDAT", b"\x78\1" + bytes([0, 0, 0, 255, 255]) * (size // 5))),
    "GIF, comment": lambda size: gif(8, 8, before=blocks(size // 256, 255)),
    "GIF, small blocks": lambda size: gif(8, 8, before=blocks(size // 2, 1)),
    "GIF, comments": lambda size: gif(8, 8, before=blocks(1, 1) * (size // 5)),
    "GIF, junk": lambda size: gif(8, 8, before=bytes(size)),
    "GIF, frames": lambda size: gif(8, 8, after=b",\0\0\0\0\1\0\1\0\0\2\2\x4c\1\0" * (size // 15)),
    "TIFF, equal strips": lambda size: tiff_of_equal_strips(100, 30_000, max(size - 250_000, 100)),
    "TIFF, tags": lambda size: tiff_of_tags(20_000, max(size, 300_000)),
    "TIFF, frames": lambda size: tiff_of_frames(max(size // 6, 2)),
    "TIFF, many bits": lambda size: tiff(8, 8, {258: ("H", bytes(size)), 273: ("I", [0]), 279: ("I", [64])}, bytes(64)),
    "BMP, runs": lambda size: bmp_of_runs(30_000, max(size // 12, 1) % 30_000, b"\1\0" * 5 + b"\0\0"),
    "BMP, pixels": lambda size: bmp_of_runs(1_000, max(size // 2_002, 1), b"\1\0" * 1_000 + b"\0\0"),
    "PPM, 15 bits": lambda size: b"P6 %d 1000 32767\n" % max(size // 6_000, 1) + bytes(max(size // 6_000, 1) * 6_000),
    "PPM, 100 levels": lambda size: b"P5 %d 1000 100\n" % max(size // 1_000, 1) + bytes(max(size // 1_000, 1) * 1_000),
    "PPM, text": lambda size: b"P2 %d 1000 255\n" % max(size // 2_000, 1) + b"5 " * (max(size // 2_000, 1) * 1_000),
    "PPM, bits as text": lambda size: b"P1 %d 1000\n" % max(size // 1_000, 1) + b"1" * (max(size // 1_000, 1) * 1_000),
    "PPM, comments in text": lambda size: b"P2 9 9 255\n" + b"#\n" * (size // 2) + b"5 " * 81,
    "PPM, white space in text": lambda size: b"P2 9 9 255\n" + b" " * size + b"5 " * 81,
    "WebP, chunks": lambda size: webp(b"abcd\0\0\0\0" * (size // 8)),
    "WebP, EXIF": lambda size: with_exif("WEBP", size),
    "AVIF, EXIF": lambda size: with_exif("AVIF", size),
    "AVIF, boxes": lambda size: small("AVIF") + b"\0\0\0\x08free" * (size // 8),
    "HEIC, EXIF": lambda size: with_exif("HEIC", size),
    "HEIC, boxes": lambda size: small("HEIC") + b"\0\0\0\x08free" * (size // 8),
}


def noisy(mode, width, height, form, **options):
    """A picture with a pattern that repeats each 3 bytes."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    pattern = np.random.default_rng(0).integers(0, 256, 3, np.uint8)
    return saved(Image.frombytes(mode, (width, height), np.resize(pattern, width * height * bands)), form, **options)


def plain(mode, width, height, form, **options):
    return saved(Image.new(mode, (width, height)), form, **options)


LARGEST = {
    "PNG, a phone's": lambda: png(8_064, 6_048, 8, 2),
    "JPEG, three colours, 60 scans": lambda: jpeg_of_scans(7_000, 7_000, 60, 0xC2, 3),
    "PNG, transparent, interlaced": lambda: png(5_000, 5_000, 8, 6, 1),
    "WebP, lossless": lambda: plain("RGBA", 5_000, 5_000, "WEBP", lossless=True, method=0),
    "TIFF, floats": lambda: plain("F", 5_000, 5_000, "TIFF", compression="tiff_lzw"),
    "AVIF": lambda: plain("RGBA", 5_000, 5_000, "AVIF", speed=10, subsampling="4:4:4"),
    "PNG, grey": lambda: png(8_900, 8_900),
    "PNG, 16 bits": lambda: png(3_500, 3_500, 16, 6, 1),
    "PNG, grey of 16 bits": lambda: png(5_000, 5_000, 16, 0, 1),
    "PNG, transparent palette": lambda: png(
        5_000, 5_000, 8, 3, 1, before=chunk(b"PLTE", bytes(768)) + chunk(b"tRNS", bytes(256))
    ),
    "PNG, transparent colour": lambda: png(5_000, 5_000, 8, 2, 1, before=chunk(b"tRNS", bytes(6))),
    "JPEG, one scan": lambda: plain("RGB", 8_900, 8_900, "JPEG", subsampling=0),
    "JPEG, narrow": lambda: plain("RGB", 2_040, 32_000, "JPEG", subsampling=0),
    "JPEG, CMYK, narrow": lambda: plain("CMYK", 2_000, 18_000, "JPEG", progressive=True),
    "GIF": lambda: plain("P", 5_000, 5_000, "GIF", transparency=0),
    "GIF, opaque": lambda: noisy("L", 7_000, 7_000, "GIF"),
    "TIFF, colour": lambda: plain("RGB", 7_000, 7_000, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, CMYK": lambda: plain("CMYK", 5_000, 5_000, "TIFF", compression="tiff_lzw"),
    "TIFF, integers": lambda: plain("I", 5_000, 5_000, "TIFF", compression="tiff_lzw"),
    "TIFF, YCbCr": lambda: plain("YCbCr", 5_000, 5_000, "TIFF", compression="tiff_adobe_deflate"),
    "TIFF, JPEG": lambda: plain("RGB", 7_000, 7_000, "TIFF", compression="jpeg"),
    "TIFF, fax": lambda: plain("1", 8_900, 8_900, "TIFF", compression="group4"),
    "TIFF, turned": lambda: plain("RGBA", 5_000, 5_000, "TIFF", compression="tiff_lzw", tiffinfo={274: 6}),
    "WebP": lambda: plain("RGB", 5_000, 5_000, "WEBP", method=0),
    "HEIC": lambda: small("HEIC", Image.new("RGBA", (5_000, 5_000)), quality=50),
    "BMP, bits": lambda: plain("1", 8_900, 8_900, "BMP"),
    "PPM, bits": lambda: plain("1", 8_900, 8_900, "PPM"),
    "PPM, 100 levels": lambda: b"P5 500 1000 100\n" + bytes(500_000),
    "PPM, text": lambda: b"P2 500 1000 255\n" + b"5 " * 499_000 + b"#\n" * 990 + b"5 " * 1_000,
    "BMP, runs": lambda: bmp_of_runs(1_000, 499, b"\1\0" * 1_000 + b"\0\0"),
}
