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
