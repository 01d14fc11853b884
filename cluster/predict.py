"""Read the digits in millions of pictures, on many machines: Dask hands them out in parts.

Run: python -m cluster.predict pictures/ answers/
     python -m cluster.predict 's3://bucket/*.parquet' s3://bucket/answers --scheduler tls://host:8786
"""

import argparse
import hashlib
import json
from itertools import islice
from pathlib import Path

import fsspec
from distributed import Client, as_completed
from tqdm import tqdm

from cluster.answers import WRITERS, answer_part
from cluster.engine import ClusterError, add_arguments, connected
from cluster.pictures import Part, parts_of
from mnist.core.errors import run
from mnist.core.paths import ONNX
from mnist_reader.command import cores
from mnist_reader.reader import Reader

AHEAD = 4  # parts for each worker that are handed out at a time


def main() -> None:
    """Answer the parts that the target does not have yet."""
    asked = parse()
    Reader(asked.model)  # so that a bad model is refused here
    model = asked.model.read_bytes()
    parts = parts_of(asked.source)
    files = {f"{asked.target}/{name}": part for name, part in zip(names(parts, model, asked), parts, strict=True)}
    done = present(asked.target)
    if done and not asked.resume:
        raise ClusterError(f"{asked.target}: expected a new or empty folder, found {len(done)} files; see --resume")
    if strange := done - {file.rpartition("/")[2] for file in files}:
        raise ClusterError(f"{asked.target}: expected answers of this source and model, found {min(strange)}")
    left = {file: part for file, part in files.items() if file.rpartition("/")[2] not in done}
    with connected(asked.scheduler, asked.workers) as client:
        failed = answer_all(client, left, model, asked)
    total, now = (sum(part.pictures for part in each.values()) for each in (files, left))
    print(f"{asked.target}: {total:,} pictures; of the {now:,} answered now, {failed:,} could not be read")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m cluster.predict", description="Read the digits in many pictures.")
    parser.add_argument("source", help="folder, picture, .tar, .zip, .parquet, or a pattern; s3:// and gs:// as well")
    parser.add_argument("target", type=absolute, help="folder for the answers, a file a part")
    parser.add_argument("--resume", action="store_true", help="write what is missing in a target")
    parser.add_argument("--form", choices=WRITERS, default="parquet", help="of the answers (default: parquet)")
    parser.add_argument("--column", default="image", help="of a Parquet file: the pictures' bytes (default: image)")
    parser.add_argument("--model", type=Path, default=Path(__file__).parents[1] / ONNX, help="ONNX file")
    parser.add_argument("--accept-all", action="store_true", help="one digit a picture, and none is unsure")
    add_arguments(parser, workers=cores())
    return parser.parse_args()


def absolute(target: str) -> str:
    """A folder as workers find it, wherever they run."""
    return target.rstrip("/") if "://" in target else str(Path(target).absolute())


def names(parts: list[Part], model: bytes, asked: argparse.Namespace) -> list[str]:
    """The file of each part; it is another one where the part, the model or the settings differ."""
    known = [hashlib.sha256(model).hexdigest(), asked.column, asked.accept_all]
    digests = [hashlib.sha256(json.dumps([known, part]).encode()).hexdigest() for part in parts]
    return [f"part-{index:06}-{digest[:8]}.{asked.form}" for index, digest in enumerate(digests)]


def present(target: str) -> set[str]:
    """The files in a folder; those that are being written do not count."""
    system, path = fsspec.core.url_to_fs(target)
    found = {name.rpartition("/")[2] for name in system.ls(path, detail=False)} if system.exists(path) else set()
    return {name for name in found if name and not name.startswith(".")}


def answer_all(client: Client, left: dict[str, Part], model: bytes, asked: argparse.Namespace) -> int:
    """Hand out the parts, a few at a time; how many pictures could not be read."""
    shared = client.submit(bytes, model)  # made anew where the worker that has it dies

    def submit(file: str, part: Part) -> object:
        return client.submit(answer_part, part, asked.column, shared, asked.accept_all, file, pure=False)

    failed, waiting = 0, iter(left.items())
    workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    running = as_completed([submit(*each) for each in islice(waiting, AHEAD * workers)])
    with tqdm(total=sum(part.pictures for part in left.values()), unit=" pictures", disable=None) as bar:
        for future in running:
            if future.cancelled():
                raise ClusterError("expected a connection that lasts, lost it; --resume goes on")
            count, errors = future.result()
            bar.update(count)
            failed += errors
            for each in islice(waiting, 1):
                running.add(submit(*each))
    return failed


if __name__ == "__main__":
    run(main)
