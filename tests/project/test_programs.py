"""The commands that pyproject.toml installs: from any folder, and under no import name that others own."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_no_import_name_is_installed_that_others_own():
    installed = PROJECT["tool"]["setuptools"]
    names = {name.partition(".")[0] for name in installed["packages"] + installed["py-modules"]}
    assert names == {"mnist_reader", "mnist_programs"}


@pytest.mark.parametrize("program", PROJECT["project"]["scripts"])
def test_a_command_runs_from_any_folder(program, tmp_path):
    module, function = PROJECT["project"]["scripts"][program].split(":")
    assert callable(getattr(import_module(module), function))
    start = f"import sys; sys.argv = [{program!r}, '--help']; from {module} import {function}; {function}()"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", start], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("usage: "), done.stderr


@pytest.mark.parametrize("stage", ["download", "convert", "train", "evaluate", "export"])
def test_a_stage_that_is_run_as_a_file_says_how_it_is_run(stage):
    done = subprocess.run([sys.executable, ROOT / f"stages/{stage}.py"], capture_output=True, text=True, check=False)
    expected = f"expected `python -m stages.{stage}` in the project's folder, found a file that was run"
    assert (done.returncode, done.stderr) == (1, f"error: {expected}\n")


@pytest.mark.parametrize("module", ["stages.train", "apps.predict", "apps.serve", "apps.collect"])
def test_a_python_that_is_too_old_is_named_in_one_line(module, run_module):
    old = f"import runpy, sys; sys.version_info = (3, 10, 13); runpy.run_module({module!r}, run_name='__main__')"
    done = run_module("-c", old)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert " needs Python 3.11 or newer, found " in done.stderr
    assert PROJECT["project"]["requires-python"] == ">=3.11"
