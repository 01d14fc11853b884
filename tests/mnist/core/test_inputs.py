"""What a stage reads is noted at its start, and compared at its end."""

import hashlib

import pytest

from mnist.core.inputs import ChangedError, Inputs, check_trained, digests

PIPELINE = """
stages:
  train:
    params: [seed, dataset, train, model]
    deps: [data/csv, "datasets/${dataset}.yaml", code]
"""
PARAMS = "seed: 0\ndataset: mine\ntrain: {epochs: 3}\nexport: {formats: [h5]}\nmodel:\n- Dense: {units: 3}\n"
LOCK = "stages:\n  train:\n    params:\n      params.yaml:\n        seed: 0\n        train:\n          epochs: 3\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder, entered, with a stage that depends on code, data and settings."""
    files = {"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "code/one.py": "1", "code/deep/two.py": "2"}
    files |= {"data/csv/train.csv": "label\n", "datasets/mine.yaml": "title: A\n", "datasets/other.yaml": "title: B\n"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replace(project, name, old, new):
    path = project / name
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("params.yaml", "epochs: 3", "epochs: 4", "params.yaml: train.epochs"),
        ("params.yaml", "units: 3", "units: 3, name: x", "params.yaml: model.0.Dense.name"),
        ("params.yaml", "seed: 0\n", "", "params.yaml: seed"),
        ("params.yaml", PARAMS, "<<<<<<< HEAD", "params.yaml: seed"),
        ("code/deep/two.py", "2", "3", "code/deep/two.py"),
        ("data/csv/train.csv", "label", "lable", "data/csv/train.csv"),
        ("datasets/mine.yaml", "A", "B", "datasets/mine.yaml"),
    ],
)
def test_a_change_is_named(project, name, old, new, said):
    inputs = Inputs("train", {})
    inputs.check()
    replace(project, name, old, new)
    with pytest.raises(ChangedError) as refusal:
        inputs.check()
    expected = "expected no change while the train stage runs, found one; run `dvc repro` again"
    assert str(refusal.value) == f"{said}: {expected}"


@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_file_more_or_less_is_a_change(project, change):
    inputs = Inputs("train", {})
    if change == "add":
        (project / "code/three.py").touch()
    else:
        (project / "code/one.py").unlink()
    with pytest.raises(ChangedError, match=r"^code/(three|one)\.py: "):
        inputs.check()


def test_other_settings_files_and_bytecode_may_change(project):
    inputs = Inputs("train", {})
    replace(project, "params.yaml", "h5", "onnx")
    replace(project, "params.yaml", "seed: 0", "# a remark\nseed: 0")
    replace(project, "datasets/other.yaml", "B", "C")
    (project / "code/__pycache__").mkdir()
    (project / "code/__pycache__/one.pyc").touch()
    (project / "code/.one.py.swp").touch()
    inputs.check()


def test_code_that_has_changed_since_it_was_loaded_is_named(project):
    loaded = digests(["code"])
    replace(project, "code/one.py", "1", "2")
    with pytest.raises(ChangedError, match=r"^code/one\.py: "):
        Inputs("train", loaded).check()


def test_a_project_without_a_dvc_yaml_has_nothing_on_record(project):
    (project / "dvc.yaml").unlink()
    inputs = Inputs("train", {})
    replace(project, "params.yaml", "epochs: 3", "epochs: 4")
    inputs.check()


def test_settings_other_than_those_of_the_last_training_are_named(project):
    check_trained()  # there is no dvc.lock
    (project / "dvc.lock").write_text(LOCK)
    check_trained()
    replace(project, "params.yaml", "epochs: 3", "epochs: 4")
    with pytest.raises(ChangedError, match=r"^params\.yaml: train\.epochs: expected what the model was trained with"):
        check_trained()
    (project / "dvc.lock").write_text("<<<<<<< HEAD\n")
    check_trained()  # DVC says that it is damaged


def test_digests_are_sha256_of_the_bytes(project):
    assert digests(["code/one.py", "code/deep", "nowhere"]) == {
        "code/one.py": hashlib.sha256(b"1").hexdigest(),
        "code/deep/two.py": hashlib.sha256(b"2").hexdigest(),
    }
