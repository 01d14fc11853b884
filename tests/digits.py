"""A small data set of real digits: scikit-learn's 1,797 images of 8×8 pixels, enlarged to 28×28 without rounding."""

import gzip
import hashlib
import struct

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

TRAIN = 1437  # the first four fifths; the other 360 are the test images, by other writers


def load():
    """`uint8` images `(1797, 28, 28)`, each pixel of 0–16 become a 3×3 square of 0–255 within a border; labels."""
    images, labels = load_digits(return_X_y=True)
    bytes_ = (images.reshape(-1, 8, 8).astype(np.uint16) * 255 // 16).astype(np.uint8)
    return np.pad(bytes_.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2))), labels.astype(np.uint8)


def render(image, size=64):
    """An 8×8 image in 0–16 as dark ink on white paper, `size` pixels a side."""
    paper = Image.fromarray(np.rint(255 - image * (255 / 16)).astype(np.uint8))
    return paper.resize((size, size), Image.Resampling.BICUBIC)


def idx_files():
    """The four uncompressed IDX files, by name; written without the code under test."""
    images, labels = load()
    parts = {"train": slice(None, TRAIN), "t10k": slice(TRAIN, None)}
    files = {}
    for prefix, rows in parts.items():
        x, y = images[rows], labels[rows]
        files[f"{prefix}-images-idx3-ubyte"] = struct.pack(">4I", 0x803, len(x), 28, 28) + x.tobytes()
        files[f"{prefix}-labels-idx1-ubyte"] = struct.pack(">2I", 0x801, len(y)) + y.tobytes()
    return files


def write_idx_folder(folder, gz=False):
    """Write the four files into `folder`, as `name` or as `name.gz`.

    Returns:
        File name → SHA-256 of the uncompressed file, as in params.yaml.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in idx_files().items():
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / name).write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in idx_files().items()}
