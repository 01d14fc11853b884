"""The declarations of both DVC projects, held to what the code imports and to what DVC makes of them; the arrows."""

import ast
import compileall
import configparser
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.clones import ROOT, repository

LINKED = "code/"  # of studies/: links to the code outside


# What the code imports.


@cache
def sources():
    """Every Python file of the project outside the tests."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return tuple(sorted({name for name in listed if (ROOT / name).is_file() and not name.startswith("tests/")}))


def file_of(module):
    """The project's file of a module, or None for what others wrote and for packages."""
    path = module.replace(".", "/") + ".py"
    return path if path in sources() else None


@cache
def imports_of(file):
    """The project's files that `file` imports, anywhere in it."""
    imported = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {file_of(alias.name) for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            imported |= {file_of(node.module), *(file_of(f"{node.module}.{alias.name}") for alias in node.names)}
    return frozenset(imported - {None})


def needed_by(file):
    """`file` and every project file that it imports, directly or not."""
    known, new = set(), {file}
    while new:
        known |= new
        new = {imported for each in new for imported in imports_of(each)} - known
    return known


# What the pipelines declare.


def stages_of(pipeline):
    return yaml.safe_load((ROOT / pipeline).read_text(encoding="utf-8"))["stages"]


PIPELINES = ("dvc.yaml", "studies/dvc.yaml")
STAGES = {f"{file}:{name}": stage for file in PIPELINES for name, stage in stages_of(file).items()}
every_stage = pytest.mark.parametrize(("name", "stage"), STAGES.items(), ids=STAGES)


def entries(stage):
    """(path, options) of each output."""
    for kind in ("outs", "metrics", "plots"):
        for entry in stage.get(kind, []):
            yield (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))


def code_of(name, stage):
    """The dependencies that are code, from the project's root."""
    paths = stage["deps"]
    if name.startswith("studies/"):
        paths = [path.removeprefix(LINKED) if path.startswith(LINKED) else f"studies/{path}" for path in paths]
    return [path for path in paths if any(holds(path, file) for file in sources())]


def holds(dependency, file):
    """Whether a file is what a stage depends on, or lies in that folder."""
    return file == dependency or file.startswith(f"{dependency}/")


def script_of(stage):
    """The file that `python -m a.b …` runs."""
    return file_of(re.search(r"python -m ([\w.]+)", stage["cmd"])[1])


def test_the_stages_are_those_of_the_design():
    assert list(stages_of("dvc.yaml")) == ["download", "convert", "train", "evaluate", "export"]


@every_stage
def test_every_file_that_a_stage_imports_is_a_dependency_and_no_folder_is_there_for_nothing(name, stage):
    needed, code = needed_by(script_of(stage)), code_of(name, stage)
    assert not [file for file in needed if not any(holds(path, file) for path in code) and "__init__" not in file]
    assert not [path for path in code if not any(holds(path, file) for file in needed)]


@every_stage
def test_a_stage_says_what_it_does_and_its_script_says_what_it_writes(name, stage):
    assert len(stage["desc"]) > 20
    text = ast.get_docstring(ast.parse((ROOT / script_of(stage)).read_text(encoding="utf-8")))
    for path, _ in entries(stage):
        assert Path(path).stem.partition("$")[0] in re.sub(r"[{},]", " ", text), path


def test_small_results_are_kept_in_git_and_large_ones_are_not():
    for stage in STAGES.values():
        for path, options in entries(stage):
            assert options.get("cache", True) != path.startswith(("metrics/", "results/")), path


def test_each_metric_has_a_name_of_its_own():
    metrics = [json.loads((ROOT / "metrics" / name).read_text()) for name in ("train.json", "evaluate.json")]
    names = [key for content in metrics for key in content]
    assert len(names) == len(set(names)) == 13
    assert not [value for content in metrics for value in content.values() if isinstance(value, dict | list)]


@pytest.mark.parametrize("project", [".", "studies"])
def test_analytics_is_off(project):
    config = configparser.ConfigParser()
    config.read(ROOT / project / ".dvc/config")
    assert config["core"]["analytics"] == "false"


@pytest.mark.slow
@pytest.mark.parametrize("project", [".", "studies"])
def test_dvc_reads_these_stages_and_keeps_its_outputs_out_of_git(project):
    from dvc.repo import Repo

    file = "dvc.yaml" if project == "." else "studies/dvc.yaml"
    expected = {f"{name}@" if "matrix" in stage else name for name, stage in stages_of(file).items()}
    with Repo(ROOT / project) as repo:
        assert {re.sub("@.*", "@", stage.name) for stage in repo.index.stages} == expected
        cached = [out.fs_path for stage in repo.index.stages for out in stage.outs if out.use_cache]
    for path in cached:
        assert not subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT, check=False).returncode, path


@pytest.mark.slow
def test_only_the_export_has_no_run_cache():
    """DVC's own conditions, of dvc.stage.cache._can_hash. The export's old files stay until the new ones are proved."""
    from dvc.repo import Repo

    with Repo(ROOT) as repo:
        stages = repo.index.stages
        without = [
            stage.name
            for stage in stages
            if stage.always_changed
            or any(out.persist or not (out.use_cache or out.is_metric or out.is_plot) for out in stage.outs)
        ]
    assert without == ["export"]


@pytest.mark.slow
def test_compiled_python_in_a_folder_of_code_is_no_change_in_either_project(tmp_path):
    repo = repository(tmp_path)
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    shutil.copytree(ROOT / "mnist/core", tmp_path / "mnist/core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "studies/code").mkdir(parents=True)
    (tmp_path / "studies/code/mnist").symlink_to("../../mnist")
    repo.run("sh", "-ec", "cd studies && dvc init --quiet --subdir")
    shutil.copy(ROOT / "studies/.dvcignore", tmp_path / "studies")
    for folder, dependency in ((tmp_path, "mnist/core"), (tmp_path / "studies", "code/mnist/core")):
        stage = {"cmd": "echo done > result", "deps": [dependency], "outs": ["result"]}
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"use": stage}}), encoding="utf-8")
        repo.run("sh", "-ec", f"cd {folder} && dvc repro --quiet")
    assert compileall.compile_dir(tmp_path / "mnist/core", quiet=2)
    assert (tmp_path / "mnist/core/__pycache__").is_dir()
    for folder in (tmp_path, tmp_path / "studies"):
        assert json.loads(repo.run("sh", "-ec", f"cd {folder} && dvc status --json")) == {}


# How the code is built: arrows run one way.

MAY_IMPORT = {
    "mnist_reader": ("mnist_reader/",),
    "mnist/core": ("mnist/core/", "mnist_reader/core/"),
    "mnist/data": ("mnist/core/", "mnist/data/", "mnist_reader/core/"),
    "mnist/learning": ("mnist/core/", "mnist/learning/", "mnist_reader/core/"),
    "mnist/export": ("mnist/core/", "mnist/learning/", "mnist/export/", "mnist_reader/"),
    "stages": ("mnist/", "mnist_reader/"),
    "apps/serve": ("apps/serve/", "mnist_reader/"),
    "apps": ("mnist/", "mnist_reader/", "apps/collect/"),
    "cluster": ("mnist/core/", "mnist_reader/", "cluster/"),
    "studies": ("mnist/", "mnist_reader/", "studies/"),
    "benchmarks": ("mnist/", "mnist_reader/", "studies/", "stages/", "benchmarks/"),
    "docs": (),
    "mnist_programs.py": (),
}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_lies_below_it(part):
    inner = [other for other in MAY_IMPORT if other.startswith(f"{part}/")]
    files = [file for file in sources() if holds(part, file) and not any(holds(other, file) for other in inner)]
    assert files
    for file in files:
        assert not [path for path in imports_of(file) if not path.startswith(MAY_IMPORT[part])], file


def test_every_file_belongs_to_a_part():
    assert not [file for file in sources() if not any(holds(part, file) for part in [*MAY_IMPORT, "mnist"])]


def test_nothing_is_imported_in_a_circle():
    for file in sources():
        if "__init__" not in file:
            assert not [other for other in imports_of(file) if file in needed_by(other)], file


@pytest.mark.slow
def test_the_checkpoint_depends_on_all_code_that_decides_the_weights(monkeypatch):
    from mnist.learning.checkpoint import key
    from tests.conftest import dataset_of, recipe_of

    read = []
    monkeypatch.setattr(Path, "read_text", lambda path, encoding: read.append(path.resolve()) or "")
    key(recipe_of(), dataset_of(), (np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)))
    decides = {file for file in needed_by("mnist/learning/training.py") if not file.startswith("mnist/core/")}
    no_numbers = {ROOT / "mnist_reader/core" / name for name in ("errors.py", "process.py")}
    assert {ROOT / file for file in decides} - no_numbers <= set(read)
