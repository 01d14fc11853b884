"""What the README says is so."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.report import table
from tests.conftest import ROOT


def committed(*command: str) -> str:
    """What Git says of the last commit, whatever a run since then has written over."""
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


README = committed("show", "HEAD:README.md")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))


def read_json(name: str) -> dict:
    return json.loads(committed("show", f"HEAD:metrics/{name}"))


def test_the_results_are_those_of_the_committed_metrics() -> None:
    metrics = read_json("evaluate.json")
    found = re.search(r"test accuracy \| ([\d.]+) % \(95 % interval ([\d.]+) to ([\d.]+) %", README)
    assert found
    expected = [metrics[key] for key in ("accuracy", "accuracy_low", "accuracy_high")]
    assert [float(text) for text in found.groups()] == pytest.approx([100 * value for value in expected], abs=0.0051)


def test_the_baselines_are_those_of_the_committed_metrics() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) % \|.*\|$", SECTIONS["Published systems"], re.MULTILINE)
    files = committed("ls-tree", "--name-only", "HEAD", "metrics/baselines/").split()
    reproduced = {Path(file).stem: read_json(f"baselines/{Path(file).name}") for file in files}
    assert {name: float(text) for name, text in rows} == pytest.approx(
        {name: 100 * result["accuracy"] for name, result in reproduced.items()}, abs=0.0051
    )


def test_the_benchmarks_tables_are_those_of_their_json() -> None:
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    reports = sorted((ROOT / "benchmarks").glob("*.json"))
    assert reports
    for path in reports:
        assert table(json.loads(path.read_text(encoding="utf-8"))["results"]) in text, path.name


def test_the_file_tree_names_what_is_there() -> None:
    tree = SECTIONS["What is where"].split("```")[1]
    names = re.findall(r"^(\w[\w.]*/?)", tree, re.MULTILINE)
    assert len(names) > 5
    assert all((ROOT / name).exists() for name in names if name not in ("data/", "models/"))  # DVC's, not Git's
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert folders <= {name.rstrip("/") for name in names}


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    assert all((ROOT / link).exists() for link in links)


def test_the_two_commands_install_what_they_run() -> None:
    commands = re.findall(r"```sh\n(pip install [^\n]+)\n```", SECTIONS["Run it"])
    assert commands == [
        "pip install -r requirements.txt && dvc repro",
        "pip install -r requirements-dev.txt && python -m pytest",
    ]
