"""What a stage reads, as it was at its start. DVC hashes it after the command only (iterative/dvc#11058).

If it has changed by then, dvc.lock would name settings, code or data that were not used.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mnist.core.errors import UserError
from mnist.core.files import sha256
from mnist.core.paths import LOCK, PARAMS, PIPELINE

CODE = ("mnist", "mnist_reader", "stages")


class ChangedError(UserError):
    """Something that a stage depends on is no longer what the stage has read."""


def digests(paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each file, and of each file in a folder, by its path; without hidden files and Python's bytecode."""
    found: dict[str, str] = {}
    for path in map(Path, paths):
        if path.is_file():
            found[str(path)] = sha256(path)
        for root, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
            found |= {f"{root}/{name}": sha256(Path(root, name)) for name in names if not name.startswith(".")}
    return found


class Inputs:
    """The settings, code and data that dvc.yaml names for a stage, as they are when this is made."""

    def __init__(self, stage: str, code: dict[str, str]) -> None:
        """Args: the stage's name; `digests(CODE)`, taken before the code was loaded."""
        self._stage = stage
        self._noted = _now(stage)
        self._noted |= {name: digest for name, digest in code.items() if name in self._noted}

    def check(self) -> None:
        """To be called before the stage's results take their places.

        Raises:
            ChangedError: names what has changed.
        """
        if name := _difference(self._noted, _now(self._stage)):
            raise ChangedError(
                f"{name}: expected no change while the {self._stage} stage runs, found one; run `dvc repro` again"
            )


def check_trained() -> None:
    """Check that params.yaml still says how the model was trained, which is in dvc.lock.

    Raises:
        ChangedError: names the setting that has changed.
    """
    trained = _load(LOCK).get("stages", {}).get("train", {}).get("params", {}).get(str(PARAMS), {})
    if name := _difference(_settings(trained, trained), _settings(_load(PARAMS), trained)):
        raise ChangedError(f"{name}: expected what the model was trained with, found a change; run `dvc repro` again")


def _difference(one: dict[str, Any], other: dict[str, Any]) -> str | None:
    """The first name that has another value, or is in one of the two only."""
    return next((name for name in {**one, **other} if one.get(name) != other.get(name)), None)


def _now(stage: str) -> dict[str, Any]:
    """What the stage depends on, by its name; nothing where no dvc.yaml, and so no DVC, records it."""
    asked = _load(PIPELINE).get("stages", {}).get(stage, {})
    params = _load(PARAMS)
    paths = [path.replace("${dataset}", str(params.get("dataset"))) for path in asked.get("deps", [])]
    return _settings(params, asked.get("params", [])) | digests(paths)


def _settings(params: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The values under these names, by their dotted names."""
    settings: dict[str, Any] = {}
    for name in names:
        _add_leaves(f"{PARAMS}: {name}", params.get(name), settings)
    return settings


def _add_leaves(name: str, value: Any, leaves: dict[str, Any]) -> None:
    if not isinstance(value, dict | list):
        leaves[name] = value
        return
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        _add_leaves(f"{name}.{key}", part, leaves)


def _load(path: Path) -> dict[str, Any]:
    """A YAML file that is a mapping; an empty one where there is none, or it is damaged."""
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except Exception:  # ruamel.yaml raises whatever it stumbles over; DVC and `load_recipe` say what is wrong
        return {}
    return content if isinstance(content, dict) else {}
