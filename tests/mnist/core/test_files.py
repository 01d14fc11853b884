"""Files that are whole or not there."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mnist.core.files import NoRoomError, atomic, read_json, require_room, sha256, write_json
from tests.conftest import ROOT


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_a_file_appears_under_its_name_in_a_new_folder(tmp_path):
    with atomic(tmp_path / "new" / "some.txt") as scratch:
        scratch.write_text("whole")
        assert scratch.name == "some.txt"
        assert not (tmp_path / "new" / "some.txt").exists()
    assert (tmp_path / "new" / "some.txt").read_text() == "whole"
    assert names(tmp_path) == ["new", "some.txt"]


def test_a_file_takes_the_place_of_the_old_one(tmp_path):
    (tmp_path / "some.txt").write_text("old")
    with atomic(tmp_path / "some.txt") as scratch:
        scratch.write_text("new")
    assert (tmp_path / "some.txt").read_text() == "new"
    assert names(tmp_path) == ["some.txt"]


def test_a_folder_takes_the_place_of_the_old_one_as_a_whole(tmp_path):
    old = tmp_path / "some"
    old.mkdir()
    (old / "gone.txt").write_text("old")
    with atomic(old) as scratch:
        scratch.mkdir()
        (scratch / "new.txt").write_text("new")
    assert names(tmp_path) == ["new.txt", "some"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_no_scratch(tmp_path, error):
    (tmp_path / "some.txt").write_text("old")
    with pytest.raises(error), atomic(tmp_path / "some.txt") as scratch:
        scratch.write_text("half")
        raise error
    assert (tmp_path / "some.txt").read_text() == "old"
    assert names(tmp_path) == ["some.txt"]


def test_an_error_leaves_the_old_folder_and_no_scratch(tmp_path):
    old = tmp_path / "some"
    old.mkdir()
    (old / "kept.txt").write_text("old")
    with pytest.raises(ValueError), atomic(old) as scratch:
        scratch.mkdir()
        (scratch / "half.txt").write_text("half")
        raise ValueError
    assert names(tmp_path) == ["kept.txt", "some"]


def test_an_error_leaves_nothing_where_nothing_was(tmp_path):
    with pytest.raises(ValueError), atomic(tmp_path / "some") as scratch:
        scratch.mkdir()
        raise ValueError
    assert names(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_one(tmp_path, kind):
    old = tmp_path / "some"
    old.write_text("old") if kind == "file" else old.mkdir()
    with pytest.raises(FileNotFoundError), atomic(old):
        pass
    assert names(tmp_path) == ["some"]


def test_json_is_indented_ends_its_line_and_comes_back(tmp_path):
    value = {"accuracy": 0.1, "classes": {"é": [1, 2]}}
    write_json(tmp_path / "some.json", value)
    text = (tmp_path / "some.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "accuracy": 0.1,\n')
    assert text.endswith("}\n")
    assert json.loads(text) == read_json(tmp_path / "some.json") == value


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "some.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "some.json", {"set": {1}})
    assert (tmp_path / "some.json").read_text() == "1\n"


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3_000_000)])
def test_sha256_is_that_of_the_bytes(tmp_path, content):
    (tmp_path / "some").write_bytes(content)
    assert sha256(tmp_path / "some") == hashlib.sha256(content).hexdigest()


def test_sha256_of_abc_is_the_published_one(tmp_path):
    """FIPS 180-2, appendix B.1."""
    (tmp_path / "some").write_bytes(b"abc")
    assert sha256(tmp_path / "some") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_that_cannot_be_written_is_refused_by_the_name_of_the_file(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied", "/some/.scratch")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    with pytest.raises(PermissionError) as refusal, atomic(tmp_path / "some.txt"):
        pass
    assert refusal.value.filename == str(tmp_path / "some.txt")


WRITER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from mnist.core.files import atomic
with atomic(Path(sys.argv[1])) as scratch:
    scratch.write_text("from another process")
    print("written", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def writer(tmp_path):
    """A process that has written its scratch of `some.txt`, and moves it there when its input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path / "some.txt"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"written\n"
        yield process
        process.kill()


def test_the_scratch_of_a_process_at_work_stays(tmp_path, writer):
    with atomic(tmp_path / "some.txt") as scratch:
        scratch.write_text("from this process")
    assert (tmp_path / "some.txt").read_text() == "from this process"
    writer.communicate()
    assert writer.returncode == 0
    assert (tmp_path / "some.txt").read_text() == "from another process"
    assert names(tmp_path) == ["some.txt"]


def test_the_scratch_of_a_killed_process_goes(tmp_path, writer):
    writer.kill()
    writer.wait()
    assert len(names(tmp_path)) == 2  # a scratch folder with its file
    with atomic(tmp_path / "some.txt") as scratch:
        scratch.write_text("new")
    assert names(tmp_path) == ["some.txt"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_bytes_are_on_the_disk_before_they_are_moved_and_their_name_afterwards(tmp_path, monkeypatch, kind):
    done = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor):
        done.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def recorded_replace(self, target):
        done.append("moved")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    with atomic(tmp_path / "some") as scratch:
        if kind == "folder":
            scratch.mkdir()
        (scratch / "part" if kind == "folder" else scratch).write_text("whole")
    parts = [tmp_path / "some/part"] if kind == "folder" else []
    before, after = [path.stat().st_ino for path in [*parts, tmp_path / "some"]], tmp_path.stat().st_ino
    assert done == [*before, "moved", after]


def test_a_disk_that_is_too_full_is_named_with_what_it_would_take(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1_500_000))
    with pytest.raises(NoRoomError, match=r"some: expected 2\.0 MB free on the disk, found 1\.5 MB$"):
        require_room(tmp_path / "some", 2_000_000)
    require_room(tmp_path / "some", 1_500_000)
