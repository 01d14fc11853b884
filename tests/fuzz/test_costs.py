"""No file below 10 MB takes long to decode, or much memory: it is read or refused before the work starts."""

import random
import subprocess
import sys
import time

import pytest

from mnist_reader.picture import PictureError, grey_levels
from tests.conftest import ROOT
from tests.fuzz.costly import GROWING, LARGEST, MOST
from tests.fuzz.damage import CASES

SECONDS = 4  # of processor time; a quarter of it is what is promised, on a machine that has nothing else to do
KILOBYTES = 512_000

PEAK = """
import sys, time
from pathlib import Path
from mnist_reader import Reader
from mnist_reader.picture import grey_levels
content = Path(sys.argv[1]).read_bytes()
start = time.process_time()
grey_levels(content, "some")
print(time.process_time() - start, Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def cost(content):
    """Processor time, in seconds, until a file is read or refused in one line."""
    start = time.process_time()
    try:
        grey_levels(content, "some")
    except PictureError as error:
        assert str(error).startswith("some: expected")
        assert "\n" not in str(error)
    return time.process_time() - start


@pytest.mark.parametrize("name", GROWING)
def test_a_file_of_many_parts_is_read_or_refused_soon(name):
    rng = random.Random(name)
    for size in [MOST * 0.98, *(MOST ** rng.uniform(0.5, 0.99) for _ in range(CASES // 40 - 1))]:
        content = GROWING[name](int(size))
        assert len(content) <= MOST
        assert cost(content) < SECONDS


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
@pytest.mark.parametrize("name", list(LARGEST)[: max(CASES // 8, 1)])
def test_the_largest_pictures_are_read_soon_and_in_little_memory(name, tmp_path):
    (tmp_path / "picture").write_bytes(LARGEST[name]())
    assert (tmp_path / "picture").stat().st_size <= MOST
    command = [sys.executable, "-c", PEAK, tmp_path / "picture"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()
    assert done.stderr == ""
    assert float(seconds) < SECONDS
    assert int(peak) < KILOBYTES
