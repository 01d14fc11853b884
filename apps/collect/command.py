"""The command line, and how pictures become the four IDX files of a data set."""

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from apps.collect.dataset import NewDataset, add_dataset, earlier_dataset, one_at_a_time
from apps.collect.folders import IDX_FILES, Files, holds_idx, list_pictures, read_idx_folder
from apps.collect.tables import Images, Parts, find_tables, read_parts
from mnist.core.errors import UserError, printable
from mnist.core.files import atomic, sha256
from mnist.core.sections import Key
from mnist.data.idx import write_idx
from mnist_reader.core.pixels import LARGEST, SHAPE, SMALLEST, Shape
from mnist_reader.picture import PictureError, grey_levels, read_bytes
from mnist_reader.preparation import digit_image, whole_image

Prepare = Callable[[bytes, str, Shape], np.ndarray]
KINDS: dict[str, tuple[str, Prepare]] = {
    "digits": ("ink", digit_image),
    "pictures": ("fit", lambda content, name, shape: whole_image(grey_levels(content, name), shape)),
}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m apps.collect", description="Make a data set of your own pictures.")
    parser.add_argument(
        "source",
        type=Path,
        help="folder with a folder for each class, with pictures whose names begin with it, with four IDX files or "
        "with CSV files; or a CSV or .npz",
    )
    parser.add_argument("name", help="of the data set: its file will be datasets/NAME.yaml")
    kind = "digits: find the ink, cut it out, centre it, as MNIST's are; pictures: take them whole (default)"
    parser.add_argument("--as", dest="kind", choices=KINDS, default="pictures", help=kind)
    size = f"of an image, in pixels (default: {SHAPE[0]} {SHAPE[1]})"
    parser.add_argument("--shape", type=int, nargs=2, metavar=("ROWS", "COLUMNS"), help=size)
    parser.add_argument("--test", type=float, default=0.2, help="fraction of each class for testing (default: 0.2)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of these (default: 0)")
    parser.add_argument("--title", default="Own pictures", help="what they show, for the model card and the apps")
    parser.add_argument("--licence", default="not stated", help="of the pictures, and whose they are")
    arguments = parser.parse_args()
    if not 0 < arguments.test < 1:
        parser.error(f"argument --test: expected a fraction between 0 and 1, found {arguments.test}")
    if not all(SMALLEST <= side <= LARGEST for side in arguments.shape or ()):
        parser.error(f"argument --shape: expected {SMALLEST} to {LARGEST} pixels a side, found {arguments.shape}")
    if arguments.seed < 0:
        parser.error(f"argument --seed: expected 0 or more, found {arguments.seed}")
    try:
        TypeAdapter(Key).validate_python(arguments.name)
    except ValidationError:
        parser.error(f"argument name: expected up to 64 of a-z, A-Z, 0-9, _ and -, found {arguments.name!a}")
    if arguments.name in ("raw", "csv"):
        parser.error(f"argument name: expected another one: data/{arguments.name} is the pipeline's own")
    return arguments


def collect(arguments: argparse.Namespace) -> None:
    """Add the data set, and say what comes next."""
    with one_at_a_time():
        if holds_idx(arguments.source):
            collect_idx(arguments)
        else:
            collect_images(arguments)


def collect_idx(arguments: argparse.Namespace) -> None:
    """Add IDX files, which stay where they are; classes and shape stay as an earlier file of the data set has them."""
    if arguments.shape:
        raise UserError(f"{arguments.source}: expected no --shape, as IDX files have their own, found one")
    earlier = earlier_dataset(arguments.name, arguments.source)
    content = read_idx_folder(arguments.source)
    classes, shape = (earlier.classes, earlier.size) if earlier else (content.classes, content.shape)
    about = arguments.title, arguments.licence, KINDS[arguments.kind][0]
    with add_dataset(arguments.name, heading()) as write:
        write(NewDataset(*about, classes, shape, arguments.source, content.digests, content.num_training))


def collect_images(arguments: argparse.Namespace) -> None:
    """Add images out of tables, or pictures; their IDX files will be in data/NAME."""
    target = Path("data", arguments.name)
    earlier_dataset(arguments.name, target)
    check_target(arguments.source, target)
    tables = find_tables(arguments.source)
    classes, train, test = from_tables(arguments, tables) if tables else from_pictures(arguments)
    warn(classes, train, test)
    rows, columns = train.x.shape[1:]
    about = arguments.title, arguments.licence, KINDS[arguments.kind][0]
    with add_dataset(arguments.name, heading()) as write, atomic(target) as folder:
        digests = write_idx_files(train, test, folder)
        write(NewDataset(*about, classes, (rows, columns), target, digests, len(train.x)))


def from_tables(arguments: argparse.Namespace, tables: dict[str, Path]) -> Parts:
    """Images that are ready, out of tables."""
    shape = tuple(arguments.shape) if arguments.shape else None
    parts = read_parts(tables, shape, arguments.test, arguments.seed)
    print(f"{len(parts.train.x):,} images to train on, {len(parts.test.x):,} to test with")
    return parts


def from_pictures(arguments: argparse.Namespace) -> Parts:
    """Images that are made of pictures; those that cannot be read are left out."""
    shape, prepare = tuple(arguments.shape or SHAPE), KINDS[arguments.kind][1]
    files = list_pictures(arguments.source, arguments.test, arguments.seed)
    total = len(files.train) + len(files.test)
    with tqdm(total=total, unit=" pictures", disable=not sys.stderr.isatty()) as bar:
        train, test = (read_pictures(part, prepare, shape, bar.update) for part in (files.train, files.test))
    check_images(arguments.source, files.classes, train, test)
    refused = total - len(train.x) - len(test.x)
    print(f"{len(train.x):,} pictures to train on, {len(test.x):,} to test with, {refused:,} left out")
    return Parts(files.classes, train, test)


def heading() -> str:
    """How the data set's file was made."""
    return printable(f"made by: python -m apps.collect {shlex.join(sys.argv[1:])}")


def check_target(source: Path, target: Path) -> None:
    """Raise UserError where writing `target` would remove something."""
    one, other = source.resolve(), target.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise UserError(f"{source}: expected a folder that is not in {target}, nor around it")
    left = [path for path in target.iterdir() if path.name not in IDX_FILES] if target.is_dir() else []
    if target.is_symlink() or target.is_file() or left:
        raise UserError(f"{target}: expected nothing, or the files of an earlier run, found {left or 'a file'}")


def read_pictures(files: Files, prepare: Prepare, shape: Shape, count: Callable[[], object]) -> Images:
    """Read and prepare every picture; those that cannot be read are named and left out."""
    images, labels = [], []
    for file, label in files:
        count()
        try:
            images.append(prepare(read_bytes(str(file)), printable(str(file)), shape))
            labels.append(label)
        except PictureError as error:
            tqdm.write(f"left out {printable(str(error))}", file=sys.stderr)
    return Images(np.array(images, np.uint8).reshape(-1, *shape), np.array(labels, np.uint8))


def check_images(source: Path, classes: list[str], train: Images, test: Images) -> None:
    """Raise UserError where a class cannot be trained, or nothing can be tested."""
    if empty := [name for label, name in enumerate(classes) if label not in train.y]:
        raise UserError(f"{source}: {empty[0]}: expected a picture to train on that can be read, found none")
    if not len(test.y):
        raise UserError(f"{source}: expected pictures to test with, found none")


def warn(classes: list[str], train: Images, test: Images) -> None:
    """Say which classes are not tested, and how many test pictures are trained on too."""
    if missing := [name for label, name in enumerate(classes) if label not in test.y]:
        print(f"warning: nothing to test with of {', '.join(missing)}", file=sys.stderr)
    known = {image.tobytes() for image in train.x}
    if repeated := sum(image.tobytes() in known for image in test.x):
        print(f"warning: {repeated:,} of the test pictures are among those to train on as well", file=sys.stderr)


def write_idx_files(train: Images, test: Images, folder: Path) -> dict[str, str]:
    """Write the four IDX files into a new folder; SHA-256 by name."""
    folder.mkdir()
    for name, array in zip(IDX_FILES, (*train, *test), strict=True):
        with (folder / name).open("wb") as file:
            write_idx(file, array)
    return {name: sha256(folder / name) for name in IDX_FILES}
