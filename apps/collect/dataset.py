"""A new data set: its file in datasets/, and params.yaml that names it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Text

from mnist.core.errors import UserError
from mnist.core.files import atomic, locked
from mnist.core.params import ParamsError, load_dataset, load_recipe
from mnist.core.paths import DATASETS, PARAMS, RECIPES
from mnist.core.sections import Dataset
from mnist_reader.core.pixels import SHAPE, Shape

DVC = Path(".dvc")  # the folder that is locked, because nothing else locks it
SMALL_DATA = RECIPES / "small_data.yaml"
SHOWN = 12  # classes that are named
FEW = 10_000  # images to train on; fewer get the recipe for small data
PREVIOUS = RECIPES / "previous.yaml"  # a copy of the params.yaml that was replaced, where Git has none


class NewDataset(NamedTuple):
    """What a data set's file says, and how many images there are to train on."""

    title: str
    licence: str
    preparation: str
    classes: list[str]
    shape: Shape
    folder: Path  # of the four IDX files
    digests: dict[str, str]  # SHA-256 by the name of the file
    num_training: int


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process adds a data set to this project, and let none do so until the context ends.

    Otherwise two that have one name could leave the images of one and the hashes of the other, and two that replace
    params.yaml the wrong copy of it. It does nothing on Windows, and where there is no `.dvc`.
    """
    with ExitStack() as stack:
        if DVC.is_dir():
            try:
                stack.enter_context(locked(DVC, wait=False))
            except BlockingIOError:
                print("waiting for another apps.collect in this project", file=sys.stderr)
                stack.enter_context(locked(DVC))
        yield


def earlier_dataset(name: str, folder: Path) -> Dataset | None:
    """The data set `name`, where there is one already.

    Raises:
        UserError: its files are not in `folder`.
        ParamsError: a mistake in its file or in params.yaml.
    """
    load_recipe()
    path = DATASETS / f"{name}.yaml"
    if not path.exists():
        return None
    dataset = load_dataset(name)
    if dataset.sources != [f"file:{folder}"]:
        raise UserError(f"{path}: expected a name that is free, found a data set from {dataset.sources[0]}")
    return dataset


@contextmanager
def add_dataset(name: str, heading: str) -> Iterator[Callable[[NewDataset], None]]:
    """Give a function that writes the data set's file and params.yaml; on success both take their places at the end.

    The function raises UserError where one of them would be wrong.
    """
    lines: list[str] = []
    with atomic(PARAMS.resolve()) as params, atomic(DATASETS / f"{name}.yaml") as dataset:

        def write(new: NewDataset) -> None:
            _write_dataset(dataset, new, heading)
            said = _write_params(params, name, new.num_training)
            _check(name, dataset, params)
            named = ", ".join(new.classes[:SHOWN]) + (", …" if len(new.classes) > SHOWN else "")
            lines.append(f"{DATASETS / dataset.name}: {len(new.classes)} classes ({named}), images in {new.folder}")
            lines.append(said)

        yield write
    print(*lines, "next: dvc repro", sep="\n")


def _write_dataset(path: Path, new: NewDataset, heading: str) -> None:
    """Write the data set's file; its texts are quoted, because a class may be called `no` or `1e3`."""
    classes = CommentedSeq(map(Text, new.classes))
    classes.fa.set_flow_style()
    content: dict[str, Any] = {key: Text(getattr(new, key)) for key in ("title", "licence", "preparation")}
    content |= {"classes": classes} | ({} if new.shape == SHAPE else {"shape": list(new.shape)})
    content |= {"sources": [f"file:{new.folder}"], "sha256": new.digests}
    yaml = YAML()
    yaml.width = 4096
    with path.open("w", encoding="utf-8") as file:
        file.write(f"# {heading}\n")
        yaml.dump(content, file)


def _write_params(path: Path, name: str, num_training: int) -> str:
    """Write params.yaml anew at `path`; what has changed in it."""
    recipe, source = load_recipe(), PARAMS
    if recipe.dataset == name:
        said = f"{PARAMS}: left as it is, since it names {name} already"
    elif num_training >= FEW or recipe.recipe == load_recipe(SMALL_DATA).recipe:
        said = f"{PARAMS}: dataset is now {name} instead of {recipe.dataset}"
    else:
        source = SMALL_DATA
        said = f"{PARAMS}: now {SMALL_DATA} with dataset {name}, for fewer than {FEW:,} images; undo: {_way_back()}"
    text = source.read_bytes().decode()
    path.write_bytes((text if recipe.dataset == name else _with_dataset(text, name)).encode())
    shutil.copymode(PARAMS, path)
    return said


def _with_dataset(text: str, name: str) -> str:
    """A recipe's text with another data set; all else stays, and so does the column of a comment on that line."""
    value = name if YAML(typ="safe", pure=True).load(name) == name else f'"{name}"'  # a name may be 123 or null

    def line(match: re.Match[str]) -> str:
        return f"dataset: {value}" if match[1] is None else f"dataset: {value} ".ljust(len(match[0]))

    return re.sub(r"^dataset:\s*\S+([ \t]+(?=#))?", line, text, count=1, flags=re.MULTILINE)


def _way_back() -> str:
    """The command that brings params.yaml back as it is; a copy of it is kept where Git has none."""
    if _is_committed():
        return f"git restore --staged --worktree {PARAMS}"
    with atomic(PREVIOUS) as copy:
        shutil.copyfile(PARAMS, copy)
    return f"cp {PREVIOUS} {PARAMS}"


def _is_committed() -> bool:
    """Whether Git's last commit has params.yaml as it is."""
    try:
        shown = subprocess.run(["git", "show", f"HEAD:./{PARAMS}"], capture_output=True, check=False)
    except OSError:  # no git
        return False
    return shown.returncode == 0 and shown.stdout == PARAMS.read_bytes()


def _check(name: str, dataset: Path, params: Path) -> None:
    """Raise UserError where a file that was written is wrong; it names the file as the user knows it."""
    try:
        load_dataset(name, dataset.parent)
        recipe = load_recipe(params)
    except ParamsError as error:
        lines = str(error).replace(str(dataset), str(DATASETS / dataset.name)).replace(str(params), str(PARAMS))
        raise UserError(lines) from None
    if recipe.dataset != name:
        raise UserError(f"{PARAMS}: expected a line `dataset: …` that can be changed, found none")
