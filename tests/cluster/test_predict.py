"""cluster.predict: every picture once, with the answer that apps.predict gives, from wherever the pictures come."""

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.apps.services import bar, write_model
from tests.clones import ROOT
from tests.cluster.engines import scheduler, until, working
from tests.project.conftest import KEYS, s3  # noqa: F401

pytestmark = pytest.mark.slow
COUNT = 2500  # pictures: three parts


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """(name, content): bars and rings of many sizes, an empty one, and one that is none."""
    rng = np.random.default_rng(0)
    found = [("bad.png", b"not a picture"), ("blank.png", _png(np.full((30, 30), 255, np.uint8)))]
    for index in range(COUNT - len(found)):
        noise = rng.integers(0, 40, (40, 40)).astype(np.uint8)
        content = bar(side=int(rng.integers(20, 90))) if index % 2 else _png(255 - noise * 6)
        found.append((f"p{index:04}.png", content))
    return sorted(found)


def _png(levels):
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return file.getvalue()


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
            archive.writestr(name, content)
    table = pa.table({"other": [0] * COUNT, "image": [content for _, content in pictures]})
    pq.write_table(table, place / "files.parquet", row_group_size=900)
    write_model(place / "model.onnx")
    return place


def command(folder, source, target, *options):
    return [
        sys.executable,
        "-m",
        "cluster.predict",
        str(source),
        str(target),
        "--model",
        folder / "model.onnx",
        *options,
    ]


def start(*arguments, environment=()):
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | dict(environment)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(*arguments), cwd=arguments[0], env=variables, start_new_session=True, **pipes)


def predict(*arguments, environment=()):
    process = start(*arguments, environment=environment)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert output.endswith(" could not be read\n")
    return errors


@pytest.fixture(scope="module")
def expected(folder, pictures):
    """What apps.predict says, by the picture's number."""
    line = [sys.executable, "-m", "apps.predict", "--csv", "--model", folder / "model.onnx"]
    line += [f"files/{name}" for name, _ in pictures]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    output = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout
    table = pd.read_csv(io.StringIO(output), dtype={"digit": str, "second": str}, keep_default_na=False)
    numbers = {f"files/{name}": index for index, (name, _) in enumerate(pictures)}
    return table.set_index(table.file.map(numbers)).drop(columns="file")


def check(table, pictures, expected):
    """Every picture once and in order, with the expected answer or an error."""
    assert len(table) == COUNT
    names = [name.rpartition("/")[2] for name in table.file]
    assert names == [name for name, _ in pictures] or names == [f"files.parquet:{row}" for row in range(COUNT)]
    assert [pictures[row][0] for row in np.flatnonzero(table.error.notna())] == ["bad.png", "blank.png"]
    answers = table[table.error.isna()][expected.columns]
    pd.testing.assert_frame_equal(answers, expected, check_names=False, check_dtype=False, check_exact=True)


@pytest.mark.parametrize("source", ["files", "files.tar", "files.zip", "files.parquet", "fil*s"])
def test_each_kind_of_source_gives_the_answers_of_apps_predict(folder, pictures, expected, tmp_path, source):
    assert predict(folder, source, tmp_path / "out") == ""
    check(pd.read_parquet(tmp_path / "out"), pictures, expected)


def test_csv_and_another_column(folder, pictures, expected, tmp_path):
    table = pq.read_table(folder / "files.parquet").rename_columns(["other", "bytes"])
    pq.write_table(table, tmp_path / "files.parquet")
    predict(folder, tmp_path / "files.parquet", tmp_path / "out", "--column", "bytes", "--form", "csv")
    parts = [pd.read_csv(part, dtype={"digit": str, "second": str}) for part in sorted((tmp_path / "out").iterdir())]
    check(pd.concat(parts, ignore_index=True), pictures, expected.replace("", np.nan))


def test_from_a_bucket_into_a_bucket(folder, pictures, expected, tmp_path, s3):  # noqa: F811
    environment = KEYS | {"AWS_ENDPOINT_URL": s3}
    upload = "import s3fs; f = s3fs.S3FileSystem(); [f.put(n, 's3://models/in/', recursive=True) for n in ('files',)]; "
    upload += "f.put('files.tar', 's3://models/files.tar')"
    subprocess.run([sys.executable, "-c", upload], cwd=folder, env=os.environ | environment, check=True)
    for source, target in (("s3://models/in", "s3://models/out"), ("s3://models/*.tar", "s3://models/out2")):
        predict(folder, source, target, environment=environment)
        read = f"import pandas; pandas.read_parquet({target!r}).to_parquet('{tmp_path}/all.parquet')"
        subprocess.run([sys.executable, "-c", read], env=os.environ | environment, check=True)
        check(pd.read_parquet(tmp_path / "all.parquet"), pictures, expected)


def test_a_killed_worker_and_a_killed_run_lose_and_double_nothing(folder, pictures, expected, tmp_path):
    many = tmp_path / "many"
    many.mkdir()
    for index in range(4):
        os.link(folder / "files.parquet", many / f"{index}.parquet")
    process = start(folder, many, tmp_path / "out", "--workers", "2")
    until(lambda: (tmp_path / "out").exists() and list((tmp_path / "out").glob("part-*")))
    working(process.pid, "spawn_main")[0].kill()
    assert process.wait(300) == 0
    process.communicate()
    whole = pd.read_parquet(tmp_path / "out")
    assert len(whole) == 4 * COUNT
    for index in range(4):
        part = whole[whole.file.str.contains(f"/{index}.parquet")].reset_index(drop=True)
        check(part.assign(file=[f"files.parquet:{row}" for row in range(COUNT)]), pictures, expected)

    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    for name in list(before)[::2]:
        (tmp_path / "out" / name).unlink()
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    predict(folder, many, tmp_path / "out", "--resume")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in kept} == kept


def test_workers_of_a_scheduler_under_tls(folder, pictures, expected, tmp_path):
    with scheduler(tmp_path, workers=1) as (address, _, environment):
        tls = {name: value for name, value in environment.items() if name.startswith("DASK")}
        predict(folder, folder / "files.zip", tmp_path / "out", "--scheduler", address, environment=tls)
    check(pd.read_parquet(tmp_path / "out"), pictures, expected)


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("nowhere", [], "nowhere: expected pictures, found nothing"),
        ("damaged.tar", [], "damaged.tar: expected a whole archive or table"),
        ("damaged.parquet", [], "damaged.parquet: expected a whole archive or table"),
        ("files", [], "found 1 files; see --resume"),
        ("files", ["--resume"], "expected answers of this source and model, found strange"),
        ("files", ["--scheduler", "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1: expected a Dask scheduler"),
        ("files.parquet", ["--column", "picture"], "expected a column 'picture'"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(folder, tmp_path, source, options, words):
    for name in ("damaged.tar", "damaged.parquet"):
        (folder / name).write_bytes(b"x" * 1000)
    target = tmp_path / "out"
    if "strange" in words or "--resume" in words:
        target.mkdir()
        (target / "strange").touch()
    quick = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"}
    process = start(folder, source, target, *options, environment=quick)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1, errors
    assert words in errors
    assert json.dumps(errors).count("Traceback") == 0
