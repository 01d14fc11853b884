"""docs/cluster.md and its manifest agree with Dask and with the programs."""

import re
import subprocess

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


def test_the_programs_take_every_option_that_docs_name():
    for module in ("sweep", "predict", "train"):
        source = (ROOT / f"cluster/{module}.py").read_text(encoding="utf-8")
        source += (ROOT / "cluster/engine.py").read_text(encoding="utf-8")
        for line in re.findall(rf"cluster\.{module} ([^\n|&)]*)", TEXT):
            assert all(f'"{option}"' in source for option in re.findall(r"(?<= )--[a-z-]+", line)), line


def test_workers_find_the_scheduler_of_the_manifest():
    services = {each["metadata"]["name"] for each in MANIFEST if each["kind"] == "Service"}
    pods = [each["spec"]["template"]["spec"] for each in MANIFEST if each["kind"] == "Deployment"]
    commands = [pod["containers"][0]["command"] for pod in pods]
    (address,) = [part for command in commands for part in command if part.startswith("tls://")]
    assert re.fullmatch(r"tls://(\w+):8786", address)[1] in services
    assert [command[:2] for command in commands] == [["dask", "scheduler"], ["dask", "worker"]]
