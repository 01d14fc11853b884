"""docs/cluster.md and its manifest agree with Dask and with the programs."""

import re
import subprocess
import sys

import dask
import distributed  # noqa: F401  its defaults are dask.config's
import pytest
import yaml

from tests.clones import ROOT

TEXT = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
MANIFEST = [*yaml.safe_load_all((ROOT / "docs/kubernetes/dask.yaml").read_text(encoding="utf-8"))]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_each_block_is_shell(block):
    assert subprocess.run(["bash", "-n"], input=block, text=True, check=False).returncode == 0


def test_dask_knows_the_variables_that_docs_and_manifest_set():
    (config,) = [each["data"] for each in MANIFEST if each["kind"] == "ConfigMap"]
    in_docs = re.findall(r"DASK_DISTRIBUTED__\w+", TEXT.replace("${role}", "CLIENT"))
    assert len(in_docs) == 4
    for name in {*config, *in_docs}:
        key = name.removeprefix("DASK_").lower().replace("__", ".").replace("_", "-")
        assert dask.config.get(key, "unknown") != "unknown", key


@pytest.mark.parametrize("module", ["sweep", "predict"])
def test_the_program_takes_every_option_that_docs_name(module):
    source = "".join((ROOT / f"cluster/{name}.py").read_text(encoding="utf-8") for name in (module, "engine"))
    lines = re.findall(rf"cluster\.{module} ([^\n|&)]*)", TEXT)
    assert lines
    for line in lines:
        assert all(f'"{option}"' in source for option in re.findall(r"(?<= )--[a-z-]+", line)), line


@pytest.mark.parametrize("module", ["sweep", "predict"])
def test_without_its_requirements_a_program_names_the_file_that_docs_name(module):
    command = [sys.executable, "-S", "-m", f"cluster.{module}"]  # -S: without installed packages
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    install = "pip install --require-hashes -r requirements-dev.txt"
    assert process.returncode == 1
    assert process.stderr.replace("`", "") == f"error: cluster.{module} needs distributed; run {install}\n"
    assert install in TEXT


def test_workers_find_the_scheduler_of_the_manifest():
    services = {each["metadata"]["name"] for each in MANIFEST if each["kind"] == "Service"}
    pods = [each["spec"]["template"]["spec"] for each in MANIFEST if each["kind"] == "Deployment"]
    commands = [pod["containers"][0]["command"] for pod in pods]
    (address,) = [part for command in commands for part in command if part.startswith("tls://")]
    assert re.fullmatch(r"tls://(\w+):8786", address)[1] in services
    assert [command[:2] for command in commands] == [["dask", "scheduler"], ["dask", "worker"]]
