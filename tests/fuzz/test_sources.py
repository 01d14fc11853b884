"""Damaged downloads: a file has the expected SHA-256, or there is none and one line for each source says why."""

import gzip
import hashlib
import io
import pickle
import zipfile

import pytest

from mnist.core.table import TableError, read_csv
from mnist.data import archives
from mnist.data.archives import SourceError, mnist_files
from mnist.data.idx import IdxError, read_idx
from mnist.data.sources import fetch
from tests.fuzz.damage import damaged

IDX = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03" + bytes(range(12))
CSV = "\n".join([",".join(["label", *(f"pixel{i}" for i in range(784))]), *3 * [",".join(["7", *["0", "255"] * 392])]])


def test_a_damaged_gzip_file_gives_the_right_bytes_or_none(tmp_path, capsys):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for content in damaged(gzip.compress(IDX, mtime=0), "gzip"):
        (source / "some.gz").write_bytes(content)
        (target / "some").unlink(missing_ok=True)
        try:
            fetch([f"file:{source}"], {"some": hashlib.sha256(IDX).hexdigest()}, target)
        except SourceError as error:
            assert len(str(error).splitlines()) == 1
            assert len(capsys.readouterr().err.splitlines()) == 1
            assert not (target / "some").exists()
        else:
            assert (target / "some").read_bytes() == IDX


def test_a_damaged_wheel_gives_nothing(tmp_path):
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(archives.PICKLE, gzip.compress(pickle.dumps({"not": "MNIST"}), mtime=0))
    for content in damaged(wheel.getvalue(), "wheel"):
        (tmp_path / "some.whl").write_bytes(content)
        with pytest.raises(SourceError, match=r"\A[^\n]*\Z"):
            mnist_files(tmp_path / "some.whl")


def test_damaged_idx_bytes_are_read_or_refused():
    for content in damaged(IDX, "idx"):
        try:
            assert read_idx(io.BytesIO(content), "some").size <= len(content)
        except IdxError as error:
            assert str(error).startswith("some: ")


def test_a_damaged_table_is_read_or_refused(tmp_path):
    for content in damaged(f"{CSV}\n".encode(), "csv"):
        (tmp_path / "some.csv").write_bytes(content)
        try:
            images, labels = read_csv(tmp_path / "some.csv", 10)
        except TableError as error:
            assert str(error).startswith(f"{tmp_path}/some.csv: expected") and "\n" not in str(error)
        else:
            assert images.shape == (len(labels), 28, 28)
