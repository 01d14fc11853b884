"""What a program prints when something goes wrong, and how it ends."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mnist.core.errors import UserError, nearest, run
from tests.conftest import ROOT


def printed(error):
    """What a program prints whose `main` ends with this error."""

    def main():
        raise error

    with pytest.raises(SystemExit) as end:
        run(main)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (UserError("params.yaml: one\nparams.yaml: two"), ["params.yaml: one", "params.yaml: two"]),
        (FileNotFoundError(2, "No such file", "absent/file"), ["absent/file: No such file"]),
        (OSError(28, "No space left on device"), ["operating system: No space left on device"]),
        (KeyboardInterrupt(), ["interrupted"]),
        (MemoryError(), ["expected more memory than this machine has left"]),
        (UserError("x" * 1000), ["x" * 300]),
        (UserError("\n".join("x" * 1000)), ["x"] * 20),
    ],
    ids=["ours", "a missing file", "a full disk", "interrupted", "memory", "long", "many lines"],
)
def test_an_error_is_printed_in_lines_that_say_so(error, lines):
    assert printed(error).splitlines() == [f"error: {line}" for line in lines]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("absent"), "KeyError: 'absent'"),
        (ValueError("Exception encountered when…\n\n\x1b[1mno such thing\x1b[0m\n"), "ValueError: no such thing"),
    ],
    ids=["plain", "with a heading of Keras and colours"],
)
def test_an_unforeseen_error_is_one_line_and_its_traceback_is_kept(error, line, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (report,) = re.fullmatch(rf"error: {line}; please report it with (\S+)", printed(error)).groups()
    assert Path(report).read_text().startswith("Traceback (most recent call last):")


def test_a_program_that_fails_ends_with_status_1_and_without_a_traceback():
    program = "from mnist.core.errors import UserError, run\ndef main():\n raise UserError('no')\nrun(main)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "error: no\n")
    run(lambda: None)  # ends nothing


ENDED = """
import os, signal, sys, time
from pathlib import Path
from mnist.core.errors import run
from mnist.core.files import atomic

def main():
    with atomic(Path("some.txt")) as scratch:
        scratch.write_text("half")
        print("ready", flush=True)
        time.sleep(60)

run(main)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_a_program_leaves_a_line_and_nothing_half_written(tmp_path, number):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command, pipe = [sys.executable, "-c", ENDED], subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.communicate()[1] == f"error: ended by {number.name}\n"
    assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []


SWALLOWED = """
import contextlib, os, signal, time
from mnist.core.errors import run
from mnist_reader.core import process

def main():
    with contextlib.suppress(SystemExit):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)  # while it would be cleared away
    time.sleep(0.01)
    print("swallowed", flush=True)
    time.sleep(60)

process.AGAIN = 1.0
run(main)
"""


def test_a_signal_whose_exception_was_swallowed_comes_again():
    done = subprocess.run([sys.executable, "-c", SWALLOWED], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (1, "swallowed\n", "error: ended by SIGTERM\n")


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path):
    program = "import os, signal\nfrom mnist.core.errors import run\nrun(lambda: os.kill(os.getpid(), signal.SIGHUP))"
    command = ["nohup", sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0


PRINTING = """
import os, sys
from mnist.core.errors import run

def main():
    with open("file.txt", "w") as file:
        assert file.fileno() > 2
        print("to standard output")
        print("to standard error", file=sys.stderr)
        assert sys.stdin.read() == ""

run(main)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_stands_for_the_null_device(tmp_path, closed):
    line = f"{shlex.join([sys.executable, '-c', PRINTING])} {closed}"
    environment, pipe = os.environ | {"PYTHONPATH": str(ROOT)}, subprocess.PIPE
    done = subprocess.run(
        line, shell=True, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, check=False
    )
    assert (done.returncode, (tmp_path / "file.txt").read_text()) == (0, "")
    assert done.stdout == (b"" if " >&-" in f" {closed}" else b"to standard output\n")


def test_output_that_cannot_be_written_is_said_in_one_line():
    program = "from mnist.core.errors import run\nrun(lambda: print('some'))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"error: standard output: No space left on device\n")


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [("Dens", ["Dense", "Conv2D"], "; did you mean 'Dense'?"), ("zzz", ["Dense"], ""), ("x", [], "")],
)
def test_the_nearest_name_is_proposed_if_there_is_one(name, names, expected):
    assert nearest(name, names) == expected


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("--epochs=3", 2), ("fast", 2)])
def test_a_stage_says_what_it_does_and_takes_no_arguments(run_module, argument, code):
    done = run_module("-m", "stages.download", argument)
    assert done.returncode == code
    said = done.stdout if argument == "--help" else done.stderr
    assert said.startswith("usage: python -m stages.download [-h]")
    assert ("Writes: data/raw" in said) == (argument == "--help")
