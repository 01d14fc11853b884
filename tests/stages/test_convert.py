"""The convert stage: IDX files in, tables and a sheet of samples out; nothing is left of a failure."""

import struct

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from mnist.core.errors import UserError
from stages import convert
from tests import digits


@pytest.fixture
def raw(project):
    """The folder of the four files, and tables of an earlier data set."""
    digits.write_idx_folder(project / "data/raw")
    for name in ("train", "test"):
        (project / f"data/csv/{name}.csv").write_text("old")
    return project / "data/raw"


def test_both_tables_and_the_samples_are_written(project, raw, real_digits):
    convert.main()
    for name, rows in (("train", slice(digits.TRAIN)), ("test", slice(digits.TRAIN, None))):
        table = pd.read_csv(project / f"data/csv/{name}.csv")
        np.testing.assert_array_equal(table["label"], real_digits[1][rows])
        np.testing.assert_array_equal(table.iloc[:, 1:], real_digits[0][rows].reshape(-1, 784))
    assert imread(project / "metrics/plots/samples.png").ndim == 3


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("train-images-idx3-ubyte", None, "train-images-idx3-ubyte"),
        ("t10k-labels-idx1-ubyte", struct.pack(">2I", 0x801, 2) + b"\1", "t10k-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", struct.pack(">4I", 0x803, 360, 27, 28) + bytes(360 * 27 * 28), "27"),
    ],
    ids=["missing", "cut off", "of another shape"],
)
def test_a_file_that_is_not_the_data_sets_is_named_and_the_old_tables_stay(project, raw, name, found, words):
    (raw / name).unlink()
    if found:
        (raw / name).write_bytes(found)
    with pytest.raises((UserError, OSError)) as refusal:
        convert.main()
    assert words in f"{refusal.value} {getattr(refusal.value, 'filename', '')}"
    assert {path.read_text() for path in (project / "data/csv").iterdir()} == {"old"}


def test_a_data_set_without_images_is_refused_by_the_name_of_the_file(project, raw):
    for prefix in ("train", "t10k"):
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 0, 28, 28))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 0))
    with pytest.raises(UserError, match=r"^data/raw/train-images-idx3-ubyte: expected images, found none$"):
        convert.main()
