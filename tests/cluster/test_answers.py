"""Pictures that harm their reader: each gets a row with an error, those around it their answers, in bounded memory."""

import io
import os
import re
import socket
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster import answers
from cluster.pictures import Part, _fetched, parts_of
from mnist_reader.picture import MAX_BYTES
from tests.apps.services import bar, write_model
from tests.clones import ROOT

pytestmark = pytest.mark.slow
ONE = bar()
TOO_LARGE = "expected at most 134,217,728 bytes, found more"
LITTLE = 2**28  # bytes of memory that a picture may take in these tests, where `harm` says so
HARM = f"""
import os
from cluster import answers
from mnist_reader import Reader
answers.SECONDS, answers.MEMORY = 1, {LITTLE}
read = Reader.read
def harmed(reader, picture, name):
    if name.endswith("crash"):
        os.abort()
    while name.endswith("hang"):
        pass
    return read(reader, picture, name)
Reader.read = harmed
"""


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model.onnx").read_bytes()


@pytest.fixture(autouse=True)
def _processes():
    """No test meets the process of another."""
    yield
    if process := answers._thread.__dict__.pop("process", None):
        process.kill()
        process.communicate()


def read(source, model):
    """What is read, or the end of the error, by the name of each picture; the most memory that it took, in bytes."""
    rows = [row for part in parts_of(str(source)) for row in answers.rows_of(part, "image", model, False)]
    status = Path(f"/proc/{answers._thread.process.pid}/status").read_text()
    peak = 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
    for row in rows:
        assert "error" not in row or row["error"].startswith(f"{row['file']}: ")
    found = {row["file"]: row["text"] if "text" in row else row["error"][len(row["file"]) + 2 :] for row in rows}
    assert len(found) == len(rows)
    return {name.rpartition("/")[2]: text for name, text in found.items()}, peak


def test_special_files_and_links_in_a_folder_are_not_waited_for(tmp_path, model):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(ONE)
    (folder / "empty.png").touch()
    for name in ("pipe.png", "pipe.zip", "pipe.tar", "pipe.parquet"):
        os.mkfifo(folder / name)
    (folder / "device").symlink_to("/dev/zero")
    (folder / "loop").symlink_to(".")
    (folder / "broken").symlink_to("nowhere")
    with (folder / "large.png").open("wb") as file:
        file.truncate(2**33)
    listener = socket.socket(socket.AF_UNIX)
    place = os.open(folder, os.O_RDONLY)  # the address of a socket must be short
    listener.bind(f"/proc/self/fd/{place}/socket")
    os.close(place)
    listener.close()
    found, peak = read(folder, model)
    assert found.pop("a.png") == "1"
    assert {name: re.sub("expected a (readable file|picture), found:? ", "", text) for name, text in found.items()} == {
        "broken": "No such file or directory",
        "device": "a device",
        "empty.png": "an empty file",
        "large.png": TOO_LARGE,
        "loop": "a folder",
        **dict.fromkeys(["pipe.parquet", "pipe.png", "pipe.tar", "pipe.zip"], "a pipe; - reads standard input"),
        "socket": "a socket",
    }
    assert peak < 2**30


def test_large_and_strange_members_of_a_zip(tmp_path, model):
    path = tmp_path / "files.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.png", ONE)
        for name in ("b.png", "c.png"):
            archive.writestr(name, bytes(MAX_BYTES + 1))
        for index in range(6):  # together, they would take more memory than there may be
            archive.writestr(f"large{index}.png", ONE + bytes(MAX_BYTES - len(ONE)))
        archive.writestr("packed.png", ONE, zipfile.ZIP_BZIP2)
        archive.writestr("z.png", ONE)
    content = path.read_bytes()  # c.png claims to have 99 bytes
    at = content.rindex(b"c.png") - 46
    path.write_bytes(content[: at + 24] + (99).to_bytes(4, "little") + content[at + 28 :])
    found, peak = read(path, model)
    assert found.pop("b.png") == TOO_LARGE
    assert "Bad CRC-32" in found.pop("c.png")
    assert found.pop("packed.png") == "expected a member that is stored or deflated, found zip's method 12"
    assert set(found.values()) == {"1"} and len(found) == 8
    assert peak < 2**30


def test_pipes_broken_links_and_a_large_hole_in_a_tar(tmp_path, model):
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        for name, kind in (("a.png", b"0"), ("pipe", b"6"), ("device", b"3"), ("link", b"2"), ("z.png", b"0")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "nowhere", len(ONE) if kind == b"0" else 0
            archive.addfile(member, io.BytesIO(ONE))
        hole = tarfile.TarInfo("hole.png")
        hole.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(2**33)}
        hole.pax_headers["GNU.sparse.name"] = hole.name
        hole.size = 512
        archive.addfile(hole, io.BytesIO(b"0\n".ljust(512, b"\0")))
    found, peak = read(tmp_path / "files.tar", model)
    assert found == {
        "a.png": "1",
        "pipe": "expected a readable file, found a pipe or a device",
        "device": "expected a readable file, found a pipe or a device",
        "link": "\"linkname 'nowhere' not found\"",
        "z.png": "1",
        "hole.png": TOO_LARGE,
    }
    assert peak < 2**30


def test_a_large_value_in_many_rows_of_a_table_is_in_memory_once_or_twice(tmp_path, model):
    values = pa.array([ONE + bytes(2**26), ONE, bytes(MAX_BYTES + 1)], pa.binary())
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 20 + [1, None, 2, 1], pa.int32()), values)
    pq.write_table(pa.table({"image": column}), tmp_path / "files.parquet", store_schema=False)
    found, peak = read(tmp_path / "files.parquet", model)
    assert [*found.values()] == ["1"] * 21 + ["expected a picture, found an empty file", TOO_LARGE, "1"]
    assert peak < 1.5 * 2**30  # the dictionary, three times, and a picture


def test_damaged_data_and_a_page_that_does_not_fit_into_memory_end_a_row_group_alone(tmp_path, model, harm):
    path = tmp_path / "files.parquet"
    options = {"use_dictionary": False, "write_batch_size": 1, "data_page_size": 1}
    with pq.ParquetWriter(path, pa.schema({"image": pa.binary()}), **options) as writer:
        for rows in ([ONE, ONE], [ONE, ONE, ONE], [ONE, bytes(LITTLE), ONE], [ONE, ONE]):
            writer.write_table(pa.table({"image": pa.array(rows, pa.binary())}))
    content = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(1).column(0)
    end = chunk.data_page_offset + chunk.total_compressed_size
    size = chunk.total_compressed_size // 2  # of its three pages, the last one and half of the second
    content[end - size : end] = b"\xff" * size
    path.write_bytes(content)
    found, peak = read(path, model)
    texts = [*found.values()]
    assert [texts[index] for index in (0, 1, 2, 5, 8, 9)] == ["1"] * 6
    assert "1" not in texts[3:5] and all("memory" not in text for text in texts[3:5])
    assert all("expected rows that fit into memory" in text for text in texts[6:8])
    assert peak < 2**30


def test_of_a_bucket_no_more_than_the_largest_picture_is_fetched_at_once():
    asked = []

    class Bucket:
        def cat_ranges(self, names, start, end):
            asked.append(names)
            return [FileNotFoundError(name) if name == "gone" else name.encode() for name in names]

    half = MAX_BYTES // 2
    sizes = {"a": half, "b": half, "c": 1, "gone": 9, "large": MAX_BYTES + 1, "d": MAX_BYTES} | {
        f"small{index}": 0 for index in range(70)
    }
    found = dict(_fetched(Bucket(), Part("s3://", 0, len(sizes), tuple(sizes), tuple(sizes.values()))))
    small = [f"small{index}" for index in range(70)]
    assert asked == [["a", "b"], ["c", "gone"], ["d", *small[:63]], small[63:]]
    assert [*found] == [*sizes]
    assert isinstance(found.pop("gone"), FileNotFoundError)
    assert str(found.pop("large")) == "expected at most 134,217,728 bytes, found 134,217,729"
    assert all(file.read() == name.encode() for name, file in found.items())


@pytest.fixture
def harm(tmp_path, monkeypatch):
    """In processes that are started now, pictures called `crash` crash the reader, those called `hang` hang it, and
    there is LITTLE memory.
    """
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(HARM)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{ROOT}")


def pictures(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(ONE)
    return folder


def test_pictures_that_crash_or_hang_their_reader_are_rows_and_the_others_are_read(tmp_path, model, harm):
    names = ["0crash", "1", "2hang", "3crash", "4", "5"]
    found, _ = read(pictures(tmp_path / "pictures", *names), model)
    error = "expected a picture, found what takes over 60 s or ends the reader"
    assert found == dict(zip(names, [error, "1", error, error, "1", "1"], strict=True))


def test_after_ten_such_pictures_the_rest_of_a_part_is_not_read(tmp_path, model, harm):
    names = [f"{index:02}crash" for index in range(10)] + ["10", "11"]
    pictures(tmp_path / "pictures", *names)
    (part,) = parts_of(str(tmp_path / "pictures"))
    rows = list(answers.rows_of(part, "image", model, False))
    assert [row["file"].rpartition("/")[2] for row in rows] == names
    assert ["not read, because 10 pictures before it" in row["error"] for row in rows] == [False] * 10 + [True] * 2


def test_a_process_that_was_killed_while_it_waited_costs_no_picture(tmp_path, model):
    folder = pictures(tmp_path / "pictures", "a.png", "b.png")
    assert read(folder, model)[0] == {"a.png": "1", "b.png": "1"}
    answers._thread.process.kill()
    answers._thread.process.wait()
    assert read(folder, model)[0] == {"a.png": "1", "b.png": "1"}


def test_a_folder_that_must_not_be_read_is_named_instead_of_passed_over(tmp_path, monkeypatch):
    pictures(tmp_path / "pictures", "a.png")
    locked = pictures(tmp_path / "pictures/locked", "b.png")
    list_folder = os.scandir

    def refuse(path):
        if os.fspath(path) == str(locked):
            raise PermissionError(13, "Permission denied", str(locked))
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="locked"):
        parts_of(str(tmp_path / "pictures"))
