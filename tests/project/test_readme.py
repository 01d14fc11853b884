"""What README says is so.

README and the files that its figures come from are read as they were committed together, so that a user's own run, and
the commit of it, change nothing here.
"""

import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from statistics import mean

import pytest

from benchmarks.report import table
from tests.conftest import ROOT


def git(*command):
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


COMMIT = git("log", "-1", "--format=%H", "--", "README.md").strip()
README = git("show", f"{COMMIT}:README.md")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))


def metrics(name):
    return json.loads(git("show", f"{COMMIT}:metrics/{name}"))


def metrics_in(folder):
    """File's stem → content."""
    files = git("ls-tree", "--name-only", COMMIT, f"metrics/{folder}/").split()
    return {Path(file).stem: metrics(f"{folder}/{Path(file).name}") for file in files}


def benchmark(name):
    """The rows of a benchmark's table."""
    return json.loads(git("show", f"{COMMIT}:benchmarks/{name}.json"))["results"]


def percent(value):
    return f"{value:.2%}".rstrip("%")


@pytest.mark.parametrize(
    ("section", "dataset", "pairs"),
    [
        (
            "Results",
            "",
            {("fast", "fast"), ("brisk", "brisk"), ("bn_cnn", "one_cycle"), ("best", "best"), ("best", "ensemble")},
        ),
        ("Other data sets", "fashion_mnist-", {("fashion", "fashion"), ("bn_cnn", "one_cycle")}),
    ],
)
def test_each_pairs_mean_is_that_of_its_committed_seeds(section, dataset, pairs):
    row = r"^\| `(\w+)`, `(\w+)`.*\| (\d+) \| ([\d.]+) % \| ([\d.to ]+) % \|$"
    rows = re.findall(row, SECTIONS[section], re.MULTILINE)
    assert pairs == {(architecture, training) for architecture, training, *_ in rows}
    seeds = metrics_in("seeds")
    for architecture, training, count, average, spread in rows:
        start = f"{dataset}{architecture}-{training}-"
        found = [seeds[name]["accuracy"] for name in seeds if name.startswith(start)]
        assert int(count) == len(found)
        assert average == percent(mean(found))
        assert spread == " to ".join(percent(end) for end in sorted({min(found), max(found)}))


def test_the_accuracy_of_the_default_pair_and_its_interval_are_the_evaluated_ones():
    found = re.search(r"has ([\d.]+) % \(95 % interval ([\d.]+) to ([\d.]+) %\)", " ".join(SECTIONS["Results"].split()))
    expected = metrics("evaluate.json")
    assert list(found.groups()) == [percent(expected[key]) for key in ("accuracy", "accuracy_low", "accuracy_high")]


def test_as_many_exports_change_a_prediction_as_readme_says():
    changed = {name: row["changed_predictions"] for name, row in metrics("export.json").items()}
    words = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    unchanged, of_int8 = words[list(changed.values()).count(0)], words[changed["litert_int8"]]
    text = " ".join(SECTIONS["Results"].split())
    assert f"Of the {words[len(changed)]} exported formats, {unchanged} change no prediction" in text
    assert f"The eight-bit LiteRT file changes {of_int8}," in text


def test_what_is_read_of_other_pictures_is_what_was_measured():
    found = {row["pictures"]: row for row in benchmark("reading") + metrics("robustness.json")["pictures"]}
    digits = [found[f"digits_{size}"] for size in (32, 64, 160, 320)]
    read, unsure, resized = ([row[key] for row in digits] for key in ("read", "unsure", "resized"))
    text = " ".join(SECTIONS["Use the model"].split())
    assert f"{100 * min(read):.1f} to {100 * max(read):.1f} % are read right" in text
    assert f"{100 * min(unsure):.1f} to {100 * max(unsure):.1f} % are called unsure" in text
    assert {f"{100 * share:.0f} %" for share in resized} == set(re.findall(r"merely resized, (\d+ %) are right", text))
    rows = found["rows of 2 to 8 digits"]
    assert f"Of {rows['number']:,} rows of 2 to 8 test digits, {rows['right']:.1%}".replace("%", " %") in text
    assert f"{found['clothes']['unsure_or_empty']:.1%} are called unsure".replace("%", " %") in text


def test_what_corruption_does_is_what_the_robustness_pipeline_found():
    default = metrics("robustness.json")
    found = metrics_in("robustness")
    found["bn_cnn-one_cycle"] = default | {"accuracy": metrics("evaluate.json")["accuracy"]}
    _, section = SECTIONS["Results"].split("### Corrupted images")
    rows = re.findall(r"^\| `(\w+)`, `(\w+)`.*\| ([\d.]+) % \| ([\d.]+) % \|$", section, re.MULTILINE)
    assert {f"{architecture}-{training}": figures for architecture, training, *figures in rows} == {
        name: [percent(row["accuracy"]), percent(row["corrupted_accuracy"])] for name, row in found.items()
    }
    unsure, wrong = (f"{default[f'corrupted_{name}']:.1%}" for name in ("unsure", "sure_and_wrong"))
    text = " ".join(section.split()).replace(" %", "%")
    assert f"unsure of {unsure} of the corrupted images, and sure but wrong in {wrong}." in text
    ours, theirs = (
        {row["corruption"]: row for row in model["corruptions"]} for model in (default, found["bn_cnn-kj7kunal"])
    )
    worse = [kind for kind, row in ours.items() if row["accuracy"] < theirs[kind]["accuracy"] - 0.02]
    assert worse == ["stripe"]
    assert (
        f"reads {ours['stripe']['accuracy']:.1%} ({theirs['stripe']['accuracy']:.1%}) and is unsure in "
        f"{ours['stripe']['unsure']:.1%}" in text
    )


def test_fast_is_as_far_ahead_of_the_fastest_recipe_as_the_benchmark_found():
    text = " ".join(SECTIONS["Results"].split())
    for kernels, name in (("AVX-512", "time_to_accuracy"), ("AVX2", "time_to_accuracy_avx2")):
        seconds = {row["contender"]: row["seconds_to_99.0%"] for row in benchmark(name)}
        assert f"{seconds['fast'] / seconds['train_mnist_fast']:.2f} with the kernels for {kernels}" in text


def test_what_an_earlier_model_is_worth_is_what_the_benchmark_found():
    rows = benchmark("adapt")
    expected = [(row["pictures_of_each"], row["training"], f"{row['accuracy']:.1%}") for row in rows]
    found = re.findall(r"^\| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$", SECTIONS["Other data sets"], re.MULTILINE)
    assert expected == [
        (int(count), training, f"{share}%")
        for count, *shares in found
        for training, share in zip(("few", "adapt"), shares, strict=True)
    ]


def test_the_baselines_are_those_of_the_committed_metrics():
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) % \|.*\|$", SECTIONS["Published systems"], re.MULTILINE)
    expected = {name: percent(result["accuracy"]) for name, result in metrics_in("baselines").items()}
    assert dict(rows) == expected


def test_the_benchmarks_tables_are_those_of_their_json():
    text = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
    reports = sorted((ROOT / "benchmarks").glob("*.json"))
    assert reports
    for path in reports:
        assert table(json.loads(path.read_text(encoding="utf-8"))["results"]) in text, path.name


def test_the_tree_names_every_folder():
    tree = SECTIONS["How it works"].split("```")[1]
    names = re.findall(r"^(?:  )?(\w[\w.]*/?)  ", tree, re.MULTILINE)
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {"docs"}
    folders |= {path.parent.name for path in ROOT.glob("mnist/*/__init__.py")}
    assert folders <= {name.rstrip("/") for name in names}
    assert {"params.yaml", "dvc.yaml", "dvc.lock"} <= set(names)


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "benchmarks/README.md", "docs/cluster.md", "docs/settings.md"]
)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert all((ROOT / page).parent.joinpath(link).exists() for link in links if "://" not in link)


def test_every_test_that_contributing_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tests = defaultdict(str)  # two folders may have files of the same name
    for path in (ROOT / "tests").rglob("test_*.py"):
        tests[path.name] += path.read_text(encoding="utf-8")
    named = re.findall(r"(test_\w+\.py)(?:::(\w+))?", text)
    assert len(named) > 5
    for file, test in named:
        assert f"def {test}" in tests[file], (file, test)


def test_the_two_commands_install_what_they_run():
    commands = re.findall(r"```sh\n(pip install [^\n]+)\n```", SECTIONS["Quick start"])
    assert commands == [
        "pip install --require-hashes -r requirements.txt && dvc repro",
        "pip install --require-hashes -r requirements-dev.txt && python -m pytest",
    ]
