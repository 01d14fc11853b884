"""Recipes (params.yaml and recipes/) and data sets (datasets/), read and checked; a line for each mistake."""

import re
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from mnist.core.errors import UserError, first_line, nearest, similar
from mnist.core.paths import DATASETS, PARAMS
from mnist.core.sections import Dataset, Recipe

LARGEST = 100_000  # values in a file, with every alias written out
S = TypeVar("S", bound=BaseModel)


class ParamsError(UserError):
    """A YAML file says something that cannot be; one line for each mistake, with its dotted key."""


def load_recipe(path: Path = PARAMS) -> Recipe:
    """Read and check a recipe (YAML 1.2, safe: data only).

    Raises:
        ParamsError: one line for each unknown, missing, mistyped or out-of-range key.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: no such file; run this in the project's folder")
    return _load(path, Recipe)


def load_dataset(name: str, folder: Path = DATASETS) -> Dataset:
    """Read and check the data set `name`, a file of `folder`.

    Raises:
        ParamsError: no such data set, or a mistake in its file.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        said = nearest(name, known) or f"; expected one of {', '.join(known)}"
        made = f"; `python -m apps.collect FOLDER {name}` makes it from your own pictures" if name == "own" else said
        raise ParamsError(f"{PARAMS}: dataset: expected a file of {folder}/, found no {path}{made}")
    return _load(path, Dataset)


def _load(path: Path, kind: type[S]) -> S:
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except Exception as error:  # ruamel.yaml also lets KeyError and IndexError pass, for `!!bool maybe` and `!!int ''`
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ParamsError(f"{path}: not YAML{where}: {getattr(error, 'problem', None) or first_line(error)}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected a mapping, found {type(content).__name__}")
    _refuse_endless(content, path)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {line}" for line in _lines(error.errors(), kind))) from None


def _refuse_endless(content: Any, path: Path) -> None:
    """Raise ParamsError where aliases of aliases make more of a file than anyone would write."""
    parts, count = [content], 0
    while parts:
        part, count = parts.pop(), count + 1
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        if count + len(parts) > LARGEST:
            raise ParamsError(f"{path}: expected at most {LARGEST} values, found more, with aliases written out")


def _lines(errors: list[Any], kind: type[BaseModel]) -> list[str]:
    """A line for each value that pydantic refuses; a missing key that was only misspelt is not named twice."""
    meant = {(*error["loc"][:-1], _meant(error, kind)) for error in errors if error["type"] == "extra_forbidden"}
    shown = [error for error in errors if not (error["type"] == "missing" and error["loc"] in meant)]
    return list({error["loc"][:4]: _line(error, kind) for error in shown}.values())  # deeper, there is one a type


def _meant(error: Any, kind: type[BaseModel]) -> str | None:
    """The key that an unknown one is most like."""
    return next(iter(similar(str(error["loc"][-1]), _known_keys(error["loc"][:-1], kind))), None)


def _line(error: Any, kind: type[BaseModel]) -> str:
    """One pydantic error as `dotted.key: expected …, found …`."""
    parts = error["loc"][:4] + error["loc"][5::2]  # deeper, in a layer's arguments, every second part is a type
    key = ".".join(str(part) for part in parts if part != "[key]")
    if error["type"] == "value_error":  # from a validator of ours, which has said it all
        return f"{key}{': ' if key else ''}{error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(error['loc'][-1]), _known_keys(error['loc'][:-1], kind))}"
    if error["type"] == "invalid-json-value":
        return f"{key}: expected a number, text, list or mapping, found {type(error['input']).__name__}"
    if error["type"] == "missing":
        return f"{key}: expected a value, found nothing"
    if isinstance(found := error["input"], int) and abs(found) >= 2**64:
        found = f"a number of {found.bit_length()} bits"  # Python writes no longer ones out
    return f"{key}: {re.sub('^[A-Z][a-z]+ should', 'expected to', error['msg'])}, found {found!r:.100}"


def _known_keys(section: tuple[str | int, ...], kind: type[BaseModel]) -> list[str]:
    """The keys that may stand in the section with this path."""
    for name in section:
        fields = {field.alias or key: field.annotation for key, field in kind.model_fields.items()}
        kind = next(part for part in (fields[str(name)], *get_args(fields[str(name)])) if hasattr(part, "model_fields"))
    return [field.alias or key for key, field in kind.model_fields.items()]
