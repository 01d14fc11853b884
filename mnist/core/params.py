"""params.yaml, read and checked; a line for each mistake."""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from mnist.core.errors import UserError, first_line, nearest, similar
from mnist.core.sections import Augmentation, Baseline, Dataset, Export, FileNames, Params, RawFiles, Training

LARGEST = 100_000  # values in params.yaml, with every alias written out


class ParamsError(UserError):
    """params.yaml says something that cannot be; one line for each mistake, with its dotted key."""


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check a parameters file (YAML 1.2, safe: data only).

    Raises:
        ParamsError: one line for each unknown, missing, mistyped or out-of-range key.
    """
    if not path.is_file():
        raise ParamsError(f"{path}: no such file; run this in the project's folder")
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
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {line}" for line in _lines(error.errors()))) from None


def _refuse_endless(content: Any, path: Path) -> None:
    """Raise ParamsError where aliases of aliases make more of a file than anyone would write."""
    parts, count = [content], 0
    while parts:
        part, count = parts.pop(), count + 1
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
        if count + len(parts) > LARGEST:
            raise ParamsError(f"{path}: expected at most {LARGEST} values, found more, with aliases written out")


def _lines(errors: list[Any]) -> list[str]:
    """A line for each of pydantic's errors; a missing key that was only misspelt is not named twice."""
    meant = {(*error["loc"][:-1], _meant(error)) for error in errors if error["type"] == "extra_forbidden"}
    return [_line(error) for error in errors if not (error["type"] == "missing" and error["loc"] in meant)]


def _meant(error: Any) -> str | None:
    """The key that an unknown one is most like."""
    return next(iter(similar(str(error["loc"][-1]), _known_keys(error["loc"][:-1]))), None)


def _line(error: Any) -> str:
    """One pydantic error as `dotted.key: expected …, found …`."""
    parts = error["loc"][:5] + error["loc"][6::2]  # deeper, in a layer's arguments, every second part is a type
    key = ".".join(str(part) for part in parts if part != "[key]")
    if error["type"] == "value_error":  # from a validator of ours, which has said it all
        return f"{key}{': ' if key else ''}{error['msg'].removeprefix('Value error, ')}"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(error['loc'][-1]), _known_keys(error['loc'][:-1]))}"
    if error["type"] == "invalid-json-value":
        return f"{key}: expected a number, text, list or mapping, found {type(error['input']).__name__}"
    if error["type"] == "missing":
        return f"{key}: expected a value, found nothing"
    if isinstance(found := error["input"], int) and abs(found) >= 2**64:
        found = f"a number of {found.bit_length()} bits"  # Python writes no longer ones out
    return f"{key}: {re.sub('^[A-Z][a-z]+ should', 'expected to', error['msg'])}, found {found!r:.100}"


def _known_keys(section: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand in the section with this path."""
    sections: dict[Any, Any] = {"datasets": Dataset, "trainings": Training, "baselines": Baseline, "export": Export}
    parts: dict[Any, Any] = {"augmentation": Augmentation, "sha256": RawFiles, "files": FileNames}
    model = parts.get(section[-1]) or sections[section[0]] if section else Params
    return [field.alias or name for name, field in model.model_fields.items()]
