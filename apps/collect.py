"""Make a data set of your own pictures: four IDX files in data/NAME/, and an entry NAME in params.yaml.

Run: python -m apps.collect pictures/ NAME --as digits

`pictures/` holds a folder for each class, or the folders train/ and test/ which do; or four IDX files with MNIST's
names, which stay where they are. Then `dvc repro` trains on the data set.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from tqdm import tqdm

from mnist.data.archives import unpack
from mnist.data.folders import FolderError, listed
from mnist.data.idx import read_idx, write_idx
from mnist.errors import PipelineError, run
from mnist.files import atomic, sha256
from mnist.inference.picture import PictureError
from mnist.inference.prepare import fitted_whole, levels_of, prepare
from mnist.sections import Dataset, RawFiles

PARAMS = Path("params.yaml")
RAW_FILES = [str(field.alias) for field in RawFiles.model_fields.values()]
LARGEST = 256  # classes; a label is a byte
FEW = 10_000  # pictures to train on; fewer get the training that is made for few
KINDS: dict[str, tuple[str, Callable[[Path], np.ndarray]]] = {
    "digits": ("ink", prepare),
    "pictures": ("fit", lambda path: fitted_whole(levels_of(path, str(path)))),
}
Part = tuple[np.ndarray, np.ndarray]  # images uint8 (n, 28, 28), labels uint8 (n,)


class CollectError(PipelineError):
    """The data set cannot be made or entered."""


def main() -> None:
    """Write the files and the entry, and say what comes next."""
    arguments = parse()
    source, target = Path(arguments.source), Path("data", arguments.name)
    if any((source / name).is_file() or (source / f"{name}.gz").is_file() for name in RAW_FILES):
        target, (classes, digests, count) = source, entered(source)
    else:
        classes, parts = collected(source, KINDS[arguments.kind][1], arguments.test, arguments.seed)
        digests, count = written(parts, target), len(parts["train"][0])
    about = {"title": arguments.title, "licence": arguments.licence, "preparation": KINDS[arguments.kind][0]}
    entry = about | {"classes": classes, "sources": [f"file:{target}"], "sha256": digests}
    chosen = {"dataset": arguments.name} | ({"training": "few"} if count < FEW else {})
    enter(arguments.name, entry, chosen)
    said = " and ".join(f"{key} is now {name}" for key, name in chosen.items())
    print(f"{PARAMS}: {said}; `dvc repro` trains on the {len(classes)} classes")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m apps.collect", description="Make a data set of your own pictures.")
    parser.add_argument("source", help="folder with a folder for each class, or with four IDX files")
    parser.add_argument("name", help="of the data set, in params.yaml")
    kind = "digits: find the ink, cut it out, centre it, as MNIST's are; pictures: take them whole (default)"
    parser.add_argument("--as", dest="kind", choices=KINDS, default="pictures", help=kind)
    parser.add_argument("--test", type=float, default=0.2, help="fraction of each class for testing (default: 0.2)")
    parser.add_argument("--seed", type=int, default=0, help="which pictures these are (default: 0)")
    parser.add_argument("--title", default="Own pictures", help="what they show, for the model card and the apps")
    parser.add_argument("--licence", default="not stated", help="of the pictures, and whose they are")
    arguments = parser.parse_args()
    if not 0 < arguments.test < 1:
        parser.error(f"argument --test: expected a fraction between 0 and 1, found {arguments.test}")
    if not arguments.name.replace("-", "").replace("_", "").isalnum() or arguments.name in ("raw", "csv"):
        parser.error(f"argument name: expected letters and digits, and not raw or csv, found {arguments.name!r}")
    return arguments


def collected(
    folder: Path, prepared: Callable[[Path], np.ndarray], test: float, seed: int
) -> tuple[list[str], dict[str, Part]]:
    """Read and prepare every picture; those that cannot be read are named and left out.

    Raises:
        FolderError: see mnist.data.folders; or a class without a picture that can be read.
    """
    listing = listed(folder, test, seed)
    if len(listing.classes) > LARGEST:
        raise FolderError(f"{folder}: expected at most {LARGEST} classes, found {len(listing.classes)}")
    refused, parts = 0, {}
    with tqdm(total=len(listing.train) + len(listing.test), unit=" pictures", disable=not sys.stderr.isatty()) as bar:
        for part, files in (("train", listing.train), ("t10k", listing.test)):
            images, labels = [], []
            for file, label in files:
                bar.update()
                try:
                    images.append(prepared(file))
                    labels.append(label)
                except PictureError as error:
                    refused += 1
                    tqdm.write(f"left out {error}", file=sys.stderr)
            parts[part] = (np.array(images, np.uint8).reshape(-1, 28, 28), np.array(labels, np.uint8))
    if empty := [name for label, name in enumerate(listing.classes) if label not in parts["train"][1]]:
        raise FolderError(f"{folder}: {empty[0]}: expected a picture to train on that can be read, found none")
    report(parts, refused)
    return listing.classes, parts


def report(parts: dict[str, Part], refused: int) -> None:
    """Say how many pictures there are, and how many of the test pictures are also trained on."""
    known = {image.tobytes() for image in parts["train"][0]}
    repeated = sum(image.tobytes() in known for image in parts["t10k"][0])
    print(
        f"{len(parts['train'][0]):,} pictures to train on, {len(parts['t10k'][0]):,} to test with, {refused:,} left out"
    )
    if repeated:
        print(f"warning: {repeated:,} of the test pictures are among those to train on as well", file=sys.stderr)


def written(parts: dict[str, Part], target: Path) -> dict[str, str]:
    """Write the four IDX files; SHA-256 by name."""
    with atomic(target) as scratch:
        scratch.mkdir()
        for part, arrays in parts.items():
            for kind, array in zip(("images-idx3", "labels-idx1"), arrays, strict=True):
                with (scratch / f"{part}-{kind}-ubyte").open("wb") as file:
                    write_idx(file, array)
    return {name: sha256(target / name) for name in RAW_FILES}


def entered(folder: Path) -> tuple[list[str], dict[str, str], int]:
    """The classes `0`, `1`, … and the SHA-256 of four IDX files, which may be packed; how many images are to train on.

    Raises:
        CollectError, SourceError, IdxError: one is missing or damaged.
    """
    digests, labels = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in RAW_FILES:
            plain, packed = folder / name, folder / f"{name}.gz"
            if not plain.is_file():
                if not packed.is_file():
                    raise CollectError(f"{folder}: expected {name} or {packed.name}, found neither")
                plain = Path(scratch, name)
                unpack(packed, plain)
            digests[name] = sha256(plain)
            if "labels" in name:
                with plain.open("rb") as file:
                    labels[name] = read_idx(file, str(folder / name))
    largest = max(int(part.max(initial=0)) for part in labels.values())
    return [str(label) for label in range(largest + 1)], digests, len(labels["train-labels-idx1-ubyte"])


def enter(name: str, entry: dict[str, Any], chosen: dict[str, str]) -> None:
    """Put the entry into params.yaml, in the place of one of the same name, and set what is `chosen`; comments stay."""
    Dataset.model_validate(entry)
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    content = yaml.load(PARAMS)
    classes = CommentedSeq(entry["classes"])
    classes.fa.set_flow_style()
    content["datasets"].pop(name, None)
    content["datasets"].insert(0, name, entry | {"classes": classes})
    content.update(chosen)
    with atomic(PARAMS) as scratch:
        yaml.dump(content, scratch)


if __name__ == "__main__":
    run(main)
