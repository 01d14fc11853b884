"""The declarations of the pipelines, held to what the code imports, to params.yaml and to what DVC makes of them."""

import ast
import compileall
import configparser
import itertools
import json
import re
import shlex
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.clones import ROOT, repository

PIPELINES = ("dvc.yaml", "baselines/dvc.yaml", "seeds/dvc.yaml", "robustness/dvc.yaml")
DOCUMENTED = ("data/", "models/", "metrics/")
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
HOSTILE = "x'; touch hacked; echo '"


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


def modules():
    """Every source file but the packages' own `__init__`, which hold no code."""
    return [file for file in sources() if Path(file).name != "__init__.py"]


def file_of(module):
    """The project's file of a module, or None for what others wrote and for packages."""
    path = module.replace(".", "/") + ".py"
    return path if path in sources() else None


def files_of_package(module):
    """The files of a package, which are all needed by who takes the package itself; none for another module."""
    folder = module.replace(".", "/")
    return {file for file in modules() if Path(file).parent.as_posix() == folder}


@cache
def tree_of(file):
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


@cache
def imports_of(file):
    """The project's files that `file` imports, anywhere in it."""
    found = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {file_of(node.module), *map(file_of, names)}.union(*map(files_of_package, names))
    return frozenset(found - {None})


def needed_by(file):
    """`file` and every project file that it imports, directly or not."""
    known, new = set(), {file}
    while new:
        known |= new
        new = {imported for each in new for imported in imports_of(each)} - known
    return known


def is_program(file):
    """Whether `python -m` of the module does something."""
    return any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree_of(file).body)


# What the pipelines declare; `foreach` and `matrix` unrolled.


def lookup(key, table):
    for part in re.findall(r"[^.\[\]]+", key):
        table = table[int(part) if isinstance(table, list) else part]
    return table


def resolved(text, variables):
    """`text` with each `${a.b}` replaced by its value."""
    return re.sub(r"\$\{(.+?)\}", lambda match: str(lookup(match[1], variables)), text)


def items_of(stage):
    """(key, item) of each stage that a `foreach` or a `matrix` stands for."""
    if isinstance(stage.get("foreach"), list):
        yield from enumerate(stage["foreach"])
    elif "foreach" in stage:
        yield from lookup(stage["foreach"].strip("${}"), PARAMS).items()
    else:
        names = stage["matrix"].keys()
        for values in itertools.product(*stage["matrix"].values()):
            yield "-".join(map(str, values)), dict(zip(names, values, strict=True))


def stages_of(pipeline):
    """(name, declaration, values for `${…}`) of each stage."""
    for name, stage in yaml.safe_load((ROOT / pipeline).read_text(encoding="utf-8"))["stages"].items():
        if "foreach" in stage or "matrix" in stage:
            for key, item in items_of(stage):
                yield f"{name}@{key}", stage.get("do", stage), PARAMS | {"key": key, "item": item}
        else:
            yield name, stage, PARAMS


STAGES = {f"{pipeline}:{name}": rest for pipeline in PIPELINES for name, *rest in stages_of(pipeline)}
every_stage = pytest.mark.parametrize(("stage", "variables"), STAGES.values(), ids=STAGES)


def entries(stage):
    """(path, options) of each output."""
    for kind in ("outs", "metrics", "plots"):
        for entry in stage.get(kind, []):
            yield (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))


def outputs(stage):
    return [path for path, _ in entries(stage)]


def script_of(stage):
    """The file that `python -m a.b …` runs."""
    return file_of(stage["cmd"].split()[2])


def holds(dependency, file):
    """Whether a file is what a stage depends on, or lies in that folder."""
    return file == dependency or file.startswith(f"{dependency}/")


def code_of(stage):
    """The dependencies that are code: files, and folders of them."""
    return [path for path in stage["deps"] if path.endswith(".py") or any(holds(path, file) for file in sources())]


def test_the_stages_are_those_of_the_design():
    names = [name.partition(":")[2] for name in STAGES if name.startswith("dvc.yaml")]
    assert names == ["download", "convert", "train", "evaluate", "export"]


@every_stage
def test_every_file_that_a_stage_imports_is_a_dependency(stage, variables):
    assert not [file for file in needed_by(script_of(stage)) if not any(holds(path, file) for path in code_of(stage))]


@every_stage
def test_every_dependency_on_code_is_needed_and_named_once(stage, variables):
    needed = needed_by(script_of(stage))
    assert not [path for path in code_of(stage) if not any(holds(path, file) for file in needed)]
    assert not [file for file in sources() if sum(holds(path, file) for path in stage["deps"]) > 1]


@every_stage
def test_every_param_exists(stage, variables):
    for key in stage.get("params", []):
        assert isinstance(key, str), "params of another file than params.yaml"
        lookup(resolved(key, variables), PARAMS)


@every_stage
def test_a_stage_says_what_it_does(stage, variables):
    assert len(stage["desc"]) > 20


@every_stage
def test_outputs_lie_where_the_design_puts_them(stage, variables):
    assert outputs(stage)
    for path in outputs(stage):
        assert path.startswith(DOCUMENTED), path


@every_stage
def test_a_command_is_a_module_and_at_most_the_whole_item(stage, variables):
    """DVC quotes the values of a whole mapping for the shell, and nothing else that it puts into `cmd`."""
    command, item = re.fullmatch(r"(python -m [\w.]+)(.*)", stage["cmd"]).groups()
    assert script_of({"cmd": command})
    if item.strip() == "${item}":
        assert isinstance(variables["item"], dict)
    else:  # numbers alone, which stand in the pipeline itself
        assert all(isinstance(lookup(key, variables), int) for key in re.findall(r"\$\{(.+?)\}", item))


@every_stage
def test_the_names_of_an_items_fields_are_harmless_in_a_shell(stage, variables):
    """DVC makes options of them without quoting them."""
    assert all(re.fullmatch(r"\w+", str(name)) for name in variables.get("item", {}))


def test_small_results_are_kept_in_git_and_large_ones_are_not():
    for stage, _ in STAGES.values():
        for path, options in entries(stage):
            assert options.get("cache", True) != path.startswith(("metrics/", "data/seeds/")), path


def test_no_two_stages_write_the_same_file():
    written = [resolved(path, variables) for stage, variables in STAGES.values() for path in outputs(stage)]
    assert len(written) == len(set(written))


def test_what_dvc_keeps_is_ignored_by_git():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    cached = [path for stage, _ in STAGES.values() for path, options in entries(stage) if options.get("cache", True)]
    assert {f"/{path}" for path in cached} <= set(ignored)


def test_analytics_is_off_and_a_default_remote_is_set():
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc/config")
    assert config["core"]["analytics"] == "false"
    assert f"'remote \"{config['core']['remote']}\"'" in config
    assert config[f"'remote \"{config['core']['remote']}\"'"]["url"]


# What DVC makes of the declarations.


@pytest.fixture(scope="module")
def loaded():
    """The project's stages as DVC itself reads them, by file and name."""
    from dvc.repo import Repo

    with Repo(ROOT) as repo:
        return {f"{Path(stage.path).relative_to(ROOT).as_posix()}:{stage.name}": stage for stage in repo.index.stages}


@pytest.mark.slow
def test_the_stages_are_those_that_dvc_reads(loaded):
    assert loaded.keys() == STAGES.keys()
    for name, (stage, variables) in STAGES.items():
        expected = {resolved(path, variables) for path in outputs(stage)}
        assert {Path(out.fs_path).relative_to(ROOT).as_posix() for out in loaded[name].outs} == expected, name


def has_run_cache(stage):
    """DVC's own conditions, of dvc.stage.cache._can_hash and dvc.stage.Stage.run."""
    return (
        not (stage.is_callback or stage.always_changed)
        and bool(stage.cmd and stage.deps and stage.outs)
        and all(dep.protocol == "local" and dep.def_path for dep in stage.deps)
        and all(out.protocol == "local" and out.def_path and out.is_in_repo for out in stage.outs)
        and not any(out.persist for out in stage.outs)
        and all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs)
    )


@pytest.mark.slow
def test_only_the_export_and_the_tables_of_other_data_sets_have_no_run_cache(loaded):
    """The export's old files stay in place until the new ones are proved, which DVC calls `persist`."""
    without = {name.partition("@")[0] for name, stage in loaded.items() if not has_run_cache(stage)}
    assert without == {"dvc.yaml:export", "seeds/dvc.yaml:tables"}


@pytest.mark.slow
def test_compiled_python_in_a_folder_of_code_is_no_change(tmp_path):
    folders = sorted({path for stage, _ in STAGES.values() for path in code_of(stage) if not path.endswith(".py")})
    assert folders
    repo = repository(tmp_path)
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    for file in sources():
        if any(holds(folder, file) for folder in folders):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, tmp_path / file)
    stage = {"cmd": "echo done > result", "deps": folders, "outs": ["result"]}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"use": stage}}), encoding="utf-8")
    repo.run("dvc", "repro")
    for folder in folders:
        assert compileall.compile_dir(tmp_path / folder, quiet=2)
        assert (tmp_path / folder / "__pycache__").is_dir()
    assert json.loads(repo.run("dvc", "status", "--json")) == {}


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted({stage["cmd"] for stage, _ in STAGES.values() if "${item}" in stage["cmd"]}))
def test_a_hostile_value_arrives_as_one_argument_and_runs_nothing(tmp_path, command):
    module, repo = command.split()[2], repository(tmp_path)
    stages = {"each": {"foreach": "${things}", "do": {"cmd": command}}}
    pipeline = {"vars": [{"things": {"one": {"architecture": HOSTILE}}}], "stages": stages}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(pipeline), encoding="utf-8")
    (printed,) = [line for line in repo.run("dvc", "repro", "--dry").splitlines() if line.startswith("> ")]
    assert shlex.split(printed[2:]) == ["python", "-m", module, "--architecture", HOSTILE]

    script = (tmp_path / module.replace(".", "/")).with_suffix(".py")
    script.parent.mkdir()
    script.write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8")
    assert json.dumps(["--architecture", HOSTILE]) in repo.run("dvc", "repro").splitlines()
    assert not (tmp_path / "hacked").exists()


# How the code is built.

MAY_IMPORT = {
    "mnist": ("mnist/",),
    "stages": ("mnist/",),
    "apps": ("mnist/", "apps/serve/"),
    "cluster": ("mnist/", "cluster/engine.py", "cluster/experiment.py", "cluster/answers.py", "cluster/pictures.py"),
    "baselines": ("mnist/",),
    "seeds": ("mnist/",),
    "robustness": ("mnist/",),
    "benchmarks": ("mnist/", "benchmarks/", "stages/convert.py"),
}


def test_programs_call_the_library_and_never_each_other():
    assert {file.partition("/")[0] for file in sources()} == MAY_IMPORT.keys()
    for file in sources():
        assert not [path for path in imports_of(file) if not path.startswith(MAY_IMPORT[file.partition("/")[0]])], file


def test_what_is_read_and_written_knows_nothing_of_learning():
    for file in modules():
        if re.fullmatch(r"mnist/(data/)?\w+\.py", file) and file != "mnist/schema.py":
            assert not [path for path in imports_of(file) if re.match("mnist/(learning|export|inference)/", path)], file


def test_nothing_imports_the_schema():
    """It alone may import upwards."""
    assert not [file for file in sources() if "mnist/schema.py" in imports_of(file)]


def test_learning_knows_nothing_of_exports():
    for file in modules():
        if file.startswith("mnist/learning/"):
            found = [path for path in imports_of(file) if path.startswith(("mnist/export/", "mnist/inference/"))]
            assert found in ([], ["mnist/inference/normalisation.py"]), file


def test_reading_pictures_stands_alone():
    allowed = ("mnist/inference/", "mnist/errors.py", "mnist/pixels.py")
    for file in modules():
        if file.startswith("mnist/inference/"):
            assert not [path for path in needed_by(file) if not path.startswith(allowed)], file


def test_nothing_is_imported_in_a_circle():
    for file in modules():
        assert not [other for other in imports_of(file) if file in needed_by(other)], file


def test_packages_themselves_hold_no_code():
    """So that no stage depends on them."""
    for file in set(sources()) - set(modules()):
        assert all(isinstance(node, ast.Expr) for node in tree_of(file).body), file


def test_every_module_of_the_library_is_used_by_a_program():
    programs = [file for file in modules() if is_program(file) and not file.startswith("benchmarks/")]
    used = {file for program in programs for file in needed_by(program)}
    assert {file for file in modules() if file.startswith("mnist/")} <= used


def test_no_module_is_long_and_no_folder_holds_more_than_a_quarter():
    lines = {file: len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in sources()}
    assert {file: count for file, count in lines.items() if count > 200} == {}
    folders = Counter()
    for file, count in lines.items():
        folders[Path(file).parent.as_posix()] += count
    ((folder, largest),) = folders.most_common(1)
    assert largest <= sum(lines.values()) / 4, folder


@pytest.mark.slow
def test_the_checkpoint_depends_on_all_code_that_decides_the_weights(monkeypatch):
    from mnist.core.params import load_params
    from mnist.learning.checkpoint import key

    pair, read = load_params(ROOT / "params.yaml").pair(), []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.resolve()) or b"")
    key(pair, (np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8)))
    no_part_in_it = {f"mnist/{name}.py" for name in ("errors", "files", "keras_classes", "sections")}
    decides = needed_by("mnist/learning/training.py") - no_part_in_it
    assert {ROOT / file for file in decides} <= set(read)
