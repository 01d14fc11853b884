"""A data set's entry in params.yaml, written for the user."""

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from mnist.core.errors import UserError
from mnist.core.files import atomic
from mnist.core.params import ParamsError, load_params
from mnist.data.idx_folders import Description
from mnist_reader.core.pixels import SHAPE

FEW = 10_000  # images to train on; fewer get the training that is made for few


class EntryError(UserError):
    """The entry cannot be made."""


def check_entry(path: Path, name: str, folder: Path) -> None:
    """Raise EntryError where another data set has that name, and ParamsError where the parameters are wrong."""
    known = load_params(path).datasets.get(name)
    if known and known.sources != [f"file:{folder}"]:
        raise EntryError(f"{path}: datasets.{name}: expected a name that is free, found one of {known.sources[0]}")


def enter(
    path: Path, name: str, folder: Path, about: dict[str, str], data: Description, by_hand: tuple[str, ...] = ()
) -> None:
    """Put the entry into a parameters file, in the place of one of the same name, and choose it; comments stay.

    Args:
        path: of params.yaml.
        name: of the data set, and `folder` is where its files are.
        about: `title`, `licence` and `preparation`.
        data: what the files are.
        by_hand: what stays as an earlier entry has it.

    Raises:
        EntryError: the file would no longer be right; it is left as it was.
    """
    names = CommentedSeq(map(DoubleQuotedScalarString, data.classes))
    names.fa.set_flow_style()
    texts = {key: DoubleQuotedScalarString(text) for key, text in about.items()}
    entry: dict[str, Any] = texts | {"classes": names}
    entry |= {} if data.shape == SHAPE else {"shape": list(data.shape)}
    entry |= {"sources": [f"file:{folder}"], "sha256": data.digests}
    chosen = {"dataset": name} | ({"training": "few"} if data.num_training < FEW else {})
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(path.read_text(encoding="utf-8"))
    earlier = content["datasets"].pop(name, {})
    content["datasets"].insert(0, name, entry | {key: earlier[key] for key in by_hand if key in earlier})
    content.update(chosen)
    with atomic(path.resolve()) as scratch:
        with scratch.open("w", encoding="utf-8") as file:
            yaml.dump(content, file)
        shutil.copymode(path, scratch)
        try:
            load_params(scratch)
        except ParamsError as error:
            raise EntryError(str(error).replace(str(scratch), str(path))) from None
    said = " and ".join(f"{key} is now {value}" for key, value in chosen.items())
    print(f"{path}: {said}; `dvc repro` trains on the {len(data.classes)} classes")
