"""Files that are whole or not there."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mnist.core.files import atomic, read_json, sha256, size, write_json, write_table
from tests.conftest import ROOT


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def write(path, kind, text):
    """Write a file, or a folder with a file named after the text."""
    if kind == "file":
        path.write_text(text)
    else:
        path.mkdir()
        (path / text).write_text(text)


def content(path):
    return path.read_text() if path.is_file() else [part.read_text() for part in path.iterdir()]


@pytest.fixture(params=["file", "folder"])
def kind(request):
    return request.param


@pytest.mark.parametrize("old", [None, "old"])
def test_what_is_written_takes_its_place_as_a_whole(tmp_path, kind, old):
    path = tmp_path / "new" / "some" if old is None else tmp_path / "some"
    if old:
        write(path, kind, old)
    with atomic(path) as scratch:
        write(scratch, kind, "new")
        assert scratch.name == "some"
        assert path.exists() == bool(old)
    assert content(path) == ("new" if kind == "file" else ["new"])
    assert [part.name for part in path.parent.iterdir()] == ["some"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, "old"])
def test_an_error_leaves_what_was_there_and_no_scratch(tmp_path, kind, old, error):
    if old:
        write(tmp_path / "some", kind, old)
    before = names(tmp_path)
    with pytest.raises(error), atomic(tmp_path / "some") as scratch:
        write(scratch, kind, "half")
        raise error
    assert names(tmp_path) == before


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_one(tmp_path, kind):
    write(tmp_path / "some", kind, "old")
    before = names(tmp_path)
    with pytest.raises(FileNotFoundError), atomic(tmp_path / "some"):
        pass
    assert names(tmp_path) == before


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
        write(scratch, kind, "part")
    parts = [tmp_path / "some/part"] if kind == "folder" else []
    before, after = [path.stat().st_ino for path in [*parts, tmp_path / "some"]], tmp_path.stat().st_ino
    assert done == [*before, "moved", after]


def test_an_error_of_the_disk_names_the_file_that_was_to_be_written(tmp_path):
    with pytest.raises(OSError, match=r"some\.txt") as error, atomic(tmp_path / "some.txt"):
        raise OSError(28, "No space left on device")
    assert error.value.filename == str(tmp_path / "some.txt")


RACER = """
import sys
from pathlib import Path
from mnist.core.files import atomic
path, kind, name, times = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
for _ in range(times):
    with atomic(path) as scratch:
        if kind == "file":
            scratch.write_text(name * 2)
        else:
            scratch.mkdir()
            for part in "ab":
                (scratch / part).write_text(name)
"""


@pytest.mark.slow
def test_several_processes_that_write_to_one_path_at_once_all_succeed(tmp_path, kind):
    times = os.environ.get("FUZZ", "100")
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, tmp_path / "some", kind, name, times], cwd=ROOT)
        for name in "123"
    ]
    assert [racer.wait() for racer in racers] == [0, 0, 0]
    assert names(tmp_path) == (["some"] if kind == "file" else ["a", "b", "some"])
    parts = [*content(tmp_path / "some")]
    assert parts[0] == parts[1] in "123"  # of one process


def test_json_is_indented_ends_its_line_and_comes_back(tmp_path):
    value = {"accuracy": 0.1, "classes": {"é": [1, 2]}}
    write_json(tmp_path / "some.json", value)
    text = (tmp_path / "some.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "accuracy": 0.1,\n') and text.endswith("}\n")
    assert json.loads(text) == read_json(tmp_path / "some.json") == value
    with pytest.raises(TypeError):
        write_json(tmp_path / "some.json", {"set": {1}})
    assert (tmp_path / "some.json").read_text(encoding="utf-8") == text


def test_a_table_has_a_heading_a_line_for_each_row_and_nothing_for_a_missing_value(tmp_path):
    write_table(
        tmp_path / "some.csv", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "name": 'a "b", c'}], ["epoch", "loss", "name"]
    )
    assert (tmp_path / "some.csv").read_bytes() == b'epoch,loss,name\n1,0.5,\n2,,"a ""b"", c"\n'


@pytest.mark.parametrize("content", [b"", b"abc", bytes(3_000_000)])
def test_sha256_and_size_are_those_of_the_bytes(tmp_path, content):
    (tmp_path / "some").write_bytes(content)
    assert sha256(tmp_path / "some") == hashlib.sha256(content).hexdigest()
    assert size(tmp_path / "some") == size(tmp_path) == len(content)
