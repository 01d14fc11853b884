"""The pipelines' declarations, held to what the code imports and params.yaml holds."""

import ast
import configparser
import re
from functools import cache

import pytest
import yaml

from tests.conftest import ROOT

PIPELINES = [path for path in (ROOT / "dvc.yaml", ROOT / "baselines/dvc.yaml") if path.is_file()]
DOCUMENTED = ("data/", "models/", "metrics/")
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


# What the code imports.


def file_of(module):
    """The project's file of a module, or None for what others wrote and for a package's empty `__init__`."""
    path = ROOT / (module.replace(".", "/") + ".py")
    return path.relative_to(ROOT).as_posix() if path.is_file() else None


@cache
def imports_of(file):
    """The project's files that `file` imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found |= {file_of(node.module), *(file_of(f"{node.module}.{alias.name}") for alias in node.names)}
    return frozenset(found - {None})


def needed_by(file):
    """`file` and every project file that it imports, directly or not."""
    known, new = set(), {file}
    while new:
        known |= new
        new = {imported for each in new for imported in imports_of(each)} - known
    return known


# What the pipelines declare; `foreach` unrolled.


def lookup(key, table):
    for part in key.split("."):
        table = table[part]
    return table


def resolved(text, variables):
    """`text` with each `${a.b}` replaced by its value."""
    return re.sub(r"\$\{(.+?)\}", lambda match: str(lookup(match[1], variables)), text)


def stages_of(path):
    """(name, declaration, values for `${…}`) of each stage."""
    for name, stage in yaml.safe_load(path.read_text(encoding="utf-8"))["stages"].items():
        if "foreach" not in stage:
            yield name, stage, PARAMS
            continue
        for key, item in lookup(stage["foreach"].strip("${}"), PARAMS).items():
            yield f"{name}@{key}", stage["do"], PARAMS | {"key": key, "item": item}


STAGES = {f"{path.relative_to(ROOT)}:{name}": rest for path in PIPELINES for name, *rest in stages_of(path)}
every_stage = pytest.mark.parametrize(("stage", "variables"), STAGES.values(), ids=STAGES)


def paths(entries):
    """The paths of `deps`, `outs`, `metrics` or `plots`, with or without options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def outputs(stage):
    return [path for kind in ("outs", "metrics", "plots") for path in paths(stage.get(kind, []))]


def script_of(stage):
    """The file that `python -m a.b …` runs."""
    command, option, module, *_ = stage["cmd"].split()
    assert (command, option) == ("python", "-m")
    return file_of(module)


def test_the_stages_are_those_of_the_design():
    names = [name.partition(":")[2] for name in STAGES if name.startswith("dvc.yaml")]
    assert names == ["download", "convert", "train", "evaluate", "export"]


@every_stage
def test_deps_name_the_script_and_exactly_the_modules_it_imports(stage, variables):
    declared = [path for path in paths(stage["deps"]) if path.endswith(".py")]
    assert len(declared) == len(set(declared))
    assert set(declared) == needed_by(script_of(stage))


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
def test_no_user_text_reaches_the_shell(stage, variables):
    """DVC does not quote what it puts into `cmd`."""
    assert "${" not in stage["cmd"]


@every_stage
def test_no_dependency_is_a_folder_of_code(stage, variables):
    """A folder's hash would take in `__pycache__`."""
    assert not [
        path for path in paths(stage["deps"]) if path.startswith(("stages", "baselines")) and path[-3:] != ".py"
    ]


@every_stage
def test_nothing_switches_the_run_cache_off(stage, variables):
    """DVC keeps no run cache for a stage with `always_changed`, or with an `out` that is not cached."""
    assert "always_changed" not in stage


def test_small_results_are_kept_in_git_and_large_ones_are_not():
    for stage, _ in STAGES.values():
        for entry in [entry for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]:
            options = {} if isinstance(entry, str) else next(iter(entry.values()))
            (path,) = paths([entry])
            assert options.get("cache", True) != path.startswith("metrics/"), path


def test_no_two_stages_write_the_same_file():
    written = [resolved(path, variables) for stage, variables in STAGES.values() for path in outputs(stage)]
    assert len(written) == len(set(written))


def test_stages_call_the_library_and_never_each_other():
    for file in sorted((ROOT / "stages").glob("*.py")):
        assert not [path for path in imports_of(f"stages/{file.name}") if not path.startswith("stages/lib/")]


def test_within_the_library_arrows_point_one_way():
    for file in sorted((ROOT / "stages/lib").glob("*.py")):
        name = f"stages/lib/{file.name}"
        assert not [other for other in imports_of(name) if name in needed_by(other)], f"{name} is imported in a circle"


def test_every_module_of_the_library_is_used():
    used = {file for stage, _ in STAGES.values() for file in needed_by(script_of(stage))}
    library = {f"stages/lib/{path.name}" for path in (ROOT / "stages/lib").glob("[!_]*.py")}
    assert library <= used


def test_the_checkpoint_depends_on_all_code_that_decides_the_weights():
    from mnist.learning.checkpoint import CODE

    decides = needed_by("mnist/learning/training.py") - {
        f"stages/lib/{name}.py" for name in ("errors", "files", "params")
    }
    assert {f"stages/lib/{name}.py" for name in CODE} == decides


def test_analytics_is_off_and_a_default_remote_is_set():
    config = configparser.ConfigParser()
    config.read(ROOT / ".dvc/config")
    assert config["core"]["analytics"] == "false"
    assert f"'remote \"{config['core']['remote']}\"'" in config
    assert config[f"'remote \"{config['core']['remote']}\"'"]["url"]


def test_what_dvc_keeps_is_ignored_by_git():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    cached = [path for stage, _ in STAGES.values() for path in paths(stage.get("outs", [])) if path[:8] != "metrics/"]
    assert {f"/{path}" for path in cached} <= set(ignored)
