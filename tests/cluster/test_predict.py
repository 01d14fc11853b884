"""cluster.predict: every picture once, with the answer that apps.predict gives, from wherever the pictures come."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from argparse import ArgumentTypeError

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cluster.engine import count
from tests.apps.services import bar, write_model
from tests.clones import ROOT
from tests.cluster.engines import scheduler, until, working
from tests.project.conftest import KEYS, s3  # noqa: F401

pytestmark = pytest.mark.slow
COUNT = 2500  # pictures: three parts


def png(levels):
    file = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def pictures():
    """(name, content): bars of many sizes and noise, one that is empty, and one that is no picture."""
    noise = png(np.random.default_rng(0).integers(15, 255, (40, 40)))
    found = [(f"p[{index}].png", bar(side=20 + index % 70) if index % 2 else noise) for index in range(COUNT - 2)]
    return sorted([("bad.png", b"not a picture"), ("blank.png", png(np.full((30, 30), 255))), *found])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pictures):
    """A folder with the pictures, an archive of each kind and a table beside it, and a model."""
    place = tmp_path_factory.mktemp("pictures")
    (place / "files").mkdir()
    for name, content in pictures:
        (place / "files" / name).write_bytes(content)
    with tarfile.open(place / "files.tar", "w") as archive:
        archive.add(place / "files", "files")
    with zipfile.ZipFile(place / "files.zip", "w") as archive:
        archive.mkdir("files")
        for name, content in pictures:
            archive.writestr(f"files/{name}", content)
    table = pa.table({"image": [b""] * COUNT, "number": range(COUNT), "png": [content for _, content in pictures]})
    pq.write_table(table, place / "files.parquet", row_group_size=900)
    for name in ("damaged.tar", "damaged.zip", "damaged.parquet"):
        (place / name).write_bytes(b"x" * 1000)
    write_model(place / "model.onnx")
    return place


def start(folder, module, *arguments, variables=()):
    """Start a program in the folder, with its model."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments), "--model", "model.onnx"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def predict(folder, *arguments, variables=()):
    """The line that cluster.predict prints; it must succeed and write no error."""
    process = start(folder, "cluster.predict", *arguments, variables=variables)
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    (line,) = output.splitlines()
    return line


@pytest.fixture(scope="module")
def expected(folder, pictures):
    """What apps.predict says, by the picture's number."""
    names = [f"files/{name}" for name, _ in pictures]
    output, _ = start(folder, "apps.predict", "--csv", *names).communicate()
    table = pd.read_csv(io.StringIO(output), dtype={"text": str, "second": str}, keep_default_na=False)
    return table.set_index(table.file.map(names.index)).drop(columns="file")


def check(table, pictures, expected):
    """Every picture once and in order, with the expected answer or, where it is no picture, an error."""
    names = [name.rpartition("/")[2] for name in table.file]
    assert names == [name for name, _ in pictures] or names == [f"files.parquet:{row}" for row in range(COUNT)]
    assert [pictures[row][0] for row in np.flatnonzero(table.error.notna())] == ["bad.png"]
    assert [pictures[row][0] for row in np.flatnonzero(table["empty"].eq(True))] == ["blank.png"]
    answers = table[table.error.isna()][expected.columns]
    pd.testing.assert_frame_equal(answers, expected, check_names=False, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("source", ["files", "files.tar", "files.zip", "files.parquet", "f*les"])
def test_each_kind_of_source_gives_the_answers_of_apps_predict(folder, pictures, expected, tmp_path, source):
    line = predict(folder, source, tmp_path / "out", "--column", "png")
    assert line.endswith("/out: 2,500 pictures done now; empty: 1; could not be read: 1")
    assert len(list((tmp_path / "out").iterdir())) == 3
    check(pd.read_parquet(tmp_path / "out"), pictures, expected)


def test_from_a_bucket_into_a_bucket(folder, pictures, expected, tmp_path, s3):  # noqa: F811
    variables = KEYS | {"AWS_ENDPOINT_URL": s3}

    def python(code):
        subprocess.run([sys.executable, "-c", code], cwd=folder, env=os.environ | variables, check=True)

    python(
        "import s3fs; s3 = s3fs.S3FileSystem();"
        "s3.put('files', 's3://models/in/', recursive=True); s3.put('files.tar', 's3://models/files.tar')"
    )
    for source, target in (("s3://models/in", "s3://models/out"), ("s3://models/*.tar", "s3://models/out2")):
        predict(folder, source, target, variables=variables)
        python(f"import pandas; pandas.read_parquet('{target}').to_parquet('{tmp_path}/all.parquet')")
        check(pd.read_parquet(tmp_path / "all.parquet"), pictures, expected)


def test_workers_of_a_scheduler_under_tls(folder, pictures, expected, tmp_path):
    with scheduler(tmp_path) as (address, _, tls):
        predict(folder, "files.zip", tmp_path / "out", "--scheduler", address, variables=tls)
    check(pd.read_parquet(tmp_path / "out"), pictures, expected)


def test_a_killed_worker_and_a_killed_run_lose_and_double_nothing(folder, pictures, expected, tmp_path):
    many, out = tmp_path / "many", tmp_path / "out"
    many.mkdir()
    for index in range(4):
        os.link(folder / "files.parquet", many / f"{index}.parquet")
    process = start(folder, "cluster.predict", many, out, "--column", "png", "--workers", "2")
    until(lambda: list(out.glob("part-*")))
    working("spawn_main", process.pid)[0].kill()
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    whole = pd.read_parquet(out)
    assert len(whole) == 4 * COUNT
    for index in range(4):
        part = whole[whole.file.str.contains(f"/{index}.parquet")].reset_index(drop=True)
        check(part.assign(file=part.file.str.replace(f"/{index}.", "/files.", regex=False)), pictures, expected)

    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for name in sorted(before)[::2]:
        (out / name).unlink()
    kept = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    predict(folder, many, out, "--column", "png", "--resume")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("nowhere", [], "nowhere: expected pictures, found nothing"),
        ("nosuch://place", [], "nosuch://place: expected a place that can be read: Protocol not known"),
        ("damaged.tar", [], "damaged.tar: expected a place that can be read"),
        ("damaged.zip", [], "damaged.zip: expected a place that can be read"),
        ("damaged.parquet", [], "damaged.parquet: expected a whole table"),
        ("files", ["--resume"], "expected answers to this source with this model, found strange"),
        ("files", [], "expected an empty folder, or --resume, found strange"),
        ("files", ["--scheduler", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1: expected a Dask scheduler"),
        ("files", ["--scheduler", "tls://127.0.0.1:1"], "tls://127.0.0.1:1: expected a Dask scheduler: TLS expects"),
        ("files", ["--scheduler", ""], "expected a Dask scheduler: missing port number"),
        ("files.parquet", ["--column", "number"], "expected bytes in a column 'number', found image, png"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(folder, tmp_path, source, options, words):
    target = tmp_path / "out"
    if "found strange" in words:
        target.mkdir()
        (target / "strange").touch()
    quick = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
    process = start(folder, "cluster.predict", source, target, *options, variables=quick)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1, errors
    assert words in errors


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "", "two"])
def test_less_than_one_worker_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="expected 1 or more, found"):
        count(text)
