"""What a program prints when something goes wrong, and how it ends."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


def ended(statement):
    """(exit status, lines of standard error) of a program whose `main` executes this."""
    program = f"""
from mnist.core.errors import UserError, run
def main():
    {statement}
run(main)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("pass", []),
        ("raise UserError('params.yaml: one\\nparams.yaml: two')", ["params.yaml: one", "params.yaml: two"]),
        ("open('absent/file')", ["absent/file: No such file or directory"]),
        ("raise KeyboardInterrupt", ["interrupted"]),
        ("raise MemoryError", ["expected more memory than this machine has left"]),
        ("raise UserError('x' * 1000)", ["x" * 300]),
        ("raise UserError('\\n'.join('x' * 1000))", ["x"] * 20),
    ],
    ids=["none", "ours", "a missing file", "interrupted", "memory", "long", "many lines"],
)
def test_an_error_is_a_line_without_a_traceback(statement, lines):
    status, printed = ended(statement)
    assert status == bool(lines)
    assert printed == [f"error: {line}" for line in lines]


def test_an_error_that_nobody_foresaw_is_one_line_and_its_traceback_is_kept():
    status, (line,) = ended("{}['absent']")
    assert status == 1
    found = re.fullmatch(r"error: KeyError: 'absent'; please report it with (\S+)", line)
    report = Path(found[1])
    assert report.read_text().startswith("Traceback (most recent call last):")
    report.unlink()


def test_a_heading_of_keras_and_colours_are_passed_over():
    status, (line,) = ended("raise ValueError('Exception encountered when…\\n\\n\\x1b[1mno such thing\\x1b[0m\\n')")
    assert status == 1
    assert line.startswith("error: ValueError: no such thing; please report it with ")
    Path(line.rpartition(" ")[2]).unlink()
