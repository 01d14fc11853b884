"""Make a data set of your own pictures: four IDX files in data/NAME/, and an entry NAME in params.yaml.

Run: python -m apps.collect pictures/ NAME --as digits

`pictures/` holds a folder for each class, or `train/` and `test/` that each hold such folders. Or it holds four IDX
files with MNIST's names (also .gz), which stay where they are. Then `dvc repro` trains on the data set.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from mnist.core.errors import UserError, run
from mnist.core.files import atomic, sha256
from mnist.core.sections import Key
from mnist.data.entry import check_entry, enter
from mnist.data.folders import FolderError, listed
from mnist.data.idx import write_idx
from mnist.data.idx_folders import FILES, Description, described
from mnist_reader.command import printable
from mnist_reader.core.pixels import LARGEST, SHAPE, SMALLEST, Shape
from mnist_reader.picture import PictureError, read_bytes
from mnist_reader.preparation import grey_levels, whole_image

PARAMS = Path("params.yaml")
MOST = 256  # classes; a label is a byte
Preparer = Callable[[bytes, str, Shape], np.ndarray]
KINDS: dict[str, tuple[str, Preparer]] = {
    "digits": ("ink", digit_image),
    "pictures": ("fit", lambda content, name, shape: whole_image(grey_levels(content, name), shape)),
}
Part = tuple[np.ndarray, np.ndarray]  # images uint8 (n, rows, columns), labels uint8 (n,)


class CollectError(UserError):
    """The data set cannot be made or entered."""


def main() -> None:
    """Write the files and the entry, and say what comes next."""
    arguments = parse()
    source, target = Path(arguments.source), Path("data", arguments.name)
    preparation, prepared = KINDS[arguments.kind]
    about = {"title": arguments.title, "licence": arguments.licence, "preparation": preparation}
    if any((source / name).is_file() or (source / f"{name}.gz").is_file() for name in FILES):
        check_entry(PARAMS, arguments.name, source)
        if arguments.shape:
            raise CollectError(f"{source}: expected no --shape, as IDX files have their own, found one")
        enter(PARAMS, arguments.name, source, about, described(source), by_hand=("classes", "shape", "transpose"))
        return
    check_entry(PARAMS, arguments.name, target)
    check_target(source, target)
    shape = tuple(arguments.shape or SHAPE)
    classes, parts = collected(source, prepared, shape, arguments.test, arguments.seed)
    with atomic(target) as folder:  # both or neither
        digests = written(parts, folder)
        data = Description(classes, shape, digests, len(parts["train"][0]))
        enter(PARAMS, arguments.name, target, about, data)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m apps.collect", description="Make a data set of your own pictures.")
    parser.add_argument("source", help="folder with a folder for each class, or with four IDX files")
    parser.add_argument("name", help="of the data set, in params.yaml")
    kind = "digits: find the ink, cut it out, centre it, as MNIST's are; pictures: take them whole (default)"
    parser.add_argument("--as", dest="kind", choices=KINDS, default="pictures", help=kind)
    size = f"of an image, in pixels (default: {SHAPE[0]} {SHAPE[1]})"
    parser.add_argument("--shape", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help=size)
    parser.add_argument("--test", type=float, default=0.2, help="fraction of each class for testing (default: 0.2)")
    parser.add_argument("--seed", type=int, default=0, help="which pictures these are (default: 0)")
    parser.add_argument("--title", default="Own pictures", help="what they show, for the model card and the apps")
    parser.add_argument("--licence", default="not stated", help="of the pictures, and whose they are")
    arguments = parser.parse_args()
    if not 0 < arguments.test < 1:
        parser.error(f"argument --test: expected a fraction between 0 and 1, found {arguments.test}")
    if not all(SMALLEST <= side <= LARGEST for side in arguments.shape or ()):
        parser.error(f"argument --shape: expected {SMALLEST} to {LARGEST} pixels a side, found {arguments.shape}")
    if arguments.seed < 0:
        parser.error(f"argument --seed: expected 0 or more, found {arguments.seed}")
    if not arguments.source:
        parser.error("argument source: expected a folder, found nothing")
    try:
        TypeAdapter(Key).validate_python(arguments.name)
    except ValidationError:
        parser.error(f"argument name: expected up to 64 of a-z, A-Z, 0-9, _ and -, found {arguments.name!a}")
    if arguments.name in ("raw", "csv", "seeds"):
        parser.error(f"argument name: expected another one: data/{arguments.name} is the pipeline's own")
    return arguments


def check_target(source: Path, target: Path) -> None:
    """Raise CollectError where writing `target` would remove something."""
    one, other = source.resolve(), target.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise CollectError(f"{source}: expected a folder that is not in {target}, nor around it")
    left = [path for path in target.iterdir() if path.name not in FILES] if target.is_dir() else []
    if target.is_symlink() or target.is_file() or left:
        raise CollectError(f"{target}: expected nothing, or the files of an earlier run, found {left or 'a file'}")


def collected(
    folder: Path, prepared: Preparer, shape: Shape, test: float, seed: int
) -> tuple[list[str], dict[str, Part]]:
    """Read and prepare every picture; those that cannot be read are named and left out.

    Raises:
        FolderError: see mnist.data.folders; or a class without a picture that can be read.
    """
    listing, refused, parts = listed(folder, test, seed), 0, {}
    if len(listing.classes) > MOST:
        raise FolderError(f"{folder}: expected at most {MOST} classes, found {len(listing.classes)}")
    with tqdm(total=len(listing.train) + len(listing.test), unit=" pictures", disable=not sys.stderr.isatty()) as bar:
        for part, files in (("train", listing.train), ("t10k", listing.test)):
            images, labels = [], []
            for file, label in files:
                bar.update()
                try:
                    images.append(prepared(read_bytes(str(file)), printable(str(file)), shape))
                    labels.append(label)
                except PictureError as error:
                    refused += 1
                    tqdm.write(f"left out {printable(str(error))}", file=sys.stderr)
            parts[part] = (np.array(images, np.uint8).reshape(-1, *shape), np.array(labels, np.uint8))
    if empty := [name for label, name in enumerate(listing.classes) if label not in parts["train"][1]]:
        raise FolderError(f"{folder}: {empty[0]}: expected a picture to train on that can be read, found none")
    if not len(parts["t10k"][0]):
        raise FolderError(f"{folder}: expected pictures to test with, found none")
    report(parts, listing.classes, refused)
    return listing.classes, parts


def report(parts: dict[str, Part], classes: list[str], refused: int) -> None:
    """Say how many pictures there are, which classes are not tested, and how many test pictures are trained on too."""
    (train, _), (test, tested) = parts["train"], parts["t10k"]
    print(f"{len(train):,} pictures to train on, {len(test):,} to test with, {refused:,} left out")
    if missing := [name for label, name in enumerate(classes) if label not in tested]:
        print(f"warning: nothing to test with of {', '.join(missing)}", file=sys.stderr)
    known = {image.tobytes() for image in train}
    if repeated := sum(image.tobytes() in known for image in test):
        print(f"warning: {repeated:,} of the test pictures are among those to train on as well", file=sys.stderr)


def written(parts: dict[str, Part], folder: Path) -> dict[str, str]:
    """Write the four IDX files into a new folder; SHA-256 by name."""
    folder.mkdir()
    for part, arrays in parts.items():
        for kind, array in zip(("images-idx3", "labels-idx1"), arrays, strict=True):
            with (folder / f"{part}-{kind}-ubyte").open("wb") as file:
                write_idx(file, array)
    return {name: sha256(folder / name) for name in FILES}


if __name__ == "__main__":
    run(main)
