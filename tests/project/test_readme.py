"""The numbers in README and docs are those of committed files, and their links and names lead somewhere.

They are read as they were committed together, so that a user's own run, and the commit of it, change nothing here.
"""

import csv
import io
import json
import re
import subprocess
import zipfile
from pathlib import Path
from statistics import mean

import pytest

from benchmarks.report import table
from mnist_reader.command import Answer
from tests.conftest import ROOT

DOCS = sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", *DOCS]


def block(words):
    """The one block of README and docs that holds these words, without the lines that install."""
    texts = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    blocks = {text for page in texts for text in re.findall(r"```\w*\n(.*?)```", page, re.S) if words in text}
    first = min(blocks, key=lambda text: next(i for i, page in enumerate(texts) if text in page))
    return re.sub(r"^pip install.*\n", "", first, flags=re.M)


def git(*command):
    return subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=True).stdout


COMMIT = git("log", "-1", "--format=%H", "--", "README.md", "docs", "benchmarks/README.md").strip()


def committed(path):
    return git("show", f"{COMMIT}:{path}")


def words(page):
    """A committed page as one line."""
    return " ".join(committed(page).split())


def results(folder):
    """File's stem → content, of a folder in studies/results/."""
    files = git("ls-tree", "--name-only", COMMIT, f"studies/results/{folder}/").split()
    return {Path(file).stem: json.loads(committed(file)) for file in files}


def benchmark(name):
    """The rows of a benchmark's table."""
    return json.loads(committed(f"benchmarks/{name}.json"))["results"]


SHOWN = ("kj7kunal", "best", "default")  # columns of the table of corruptions


def percent(value, digits=2):
    return f"{value:.{digits}%}".replace("%", " %")


@pytest.mark.parametrize(
    ("page", "recipes"),
    [
        ("README.md", {"default", "fast", "brisk", "best"}),
        ("docs/results.md", {"default", "fast", "brisk", "best"}),
        ("docs/data.md", {"fashion"}),
    ],
)
def test_each_recipes_mean_is_that_of_its_committed_seeds(page, recipes):
    row = r"^\| `(\w+)` \|.*\| (\d+) \| ([\d.]+ %) \| ([\d.to ]+ %) \|$"
    rows = re.findall(row, committed(page), re.MULTILINE)
    assert recipes == {name for name, *_ in rows}
    for name, count, average, spread in rows:
        seeds = {key: scores for key, scores in results("seeds").items() if re.fullmatch(rf"{name}-\d+", key)}
        accuracies = [scores["accuracy"] for scores in seeds.values()]
        assert int(count) == len(accuracies)
        assert average == percent(mean(accuracies))
        assert spread == f"{100 * min(accuracies):.2f} to {percent(max(accuracies))}"


def test_the_published_systems_are_those_of_the_committed_results():
    row = r"^\| `(\w+)` \| ([\d,]+) \| (.+) \| ([\d.]+ %) \|$"
    rows = {name: rest for name, *rest in re.findall(row, committed("docs/results.md"), re.MULTILINE)}
    for name, scores in results("published").items():
        published = scores["published_accuracy"]
        said = "not legible" if published is None else percent(published)
        assert rows.pop(name) == [f"{scores['parameters']:,}", said, percent(scores["accuracy"])]
    assert not rows


def test_the_default_has_the_accuracy_that_was_evaluated():
    scores = json.loads(committed("metrics/evaluate.json"))
    low, high = (f"{100 * scores[f'accuracy_{end}']:.2f}" for end in ("low", "high"))
    assert f"has {percent(scores['accuracy'])} (95 % interval {low} to {high} %)" in words("docs/results.md")
    assert results("seeds")["default-0"]["accuracy"] == scores["accuracy"]


def test_only_the_eight_bit_file_changes_a_prediction():
    rows = csv.DictReader(io.StringIO(committed("metrics/export.csv")))
    changed = {row["format"]: int(row["changed_predictions"]) for row in rows}
    assert {name for name, count in changed.items() if count} == {"litert_int8"}
    assert len(changed) == 10 and changed["litert_int8"] == 2  # README: nine of ten, and two


def test_what_is_read_of_other_pictures_is_what_was_measured():
    rows = benchmark("reading") + results("robustness")["exported"]["pictures"]
    figures = {row["pictures"]: row for row in rows}
    digits = [figures[f"digits_{size}"] for size in (32, 64, 160, 320)]
    text = words("docs/reading.md")
    for key, said in (("read", "are read right"), ("unsure", "are called unsure")):
        values = [row[key] for row in digits]
        assert re.search(rf"{100 * min(values):.1f} to {percent(max(values), 1)} {said}", text), key
    assert {percent(row["resized"], 0) for row in digits} == set(re.findall(r"plain resizing, (\d+ %) are", text))
    many = figures["rows of 2 to 8 digits"]
    assert f"Of {many['number']:,} rows of 2 to 8 test digits, {percent(many['right'], 1)}" in text
    assert percent(figures["clothes"]["unsure_or_empty"], 1) in text


def test_what_corruption_does_is_what_the_study_found():
    study = results("robustness")
    study["default"] = study.pop("exported")
    row, page = r"^\| `(\w+)`[^|]*\| ([\d.]+ %) \| ([\d.]+ %) \|$", committed("docs/results.md")
    rows = re.findall(row, page, re.MULTILINE)
    expected = {name: [percent(f["accuracy"]), percent(f["corrupted_accuracy"])] for name, f in study.items()}
    assert {name: figures for name, *figures in rows} == expected
    text, default = words("docs/results.md"), study["default"]
    for key in ("unsure", "sure_and_wrong"):
        assert percent(default[f"corrupted_{key}"], 1) in text
    kinds = [{row["corruption"]: row["accuracy"] for row in study[name]["corruptions"]} for name in SHOWN]
    table = re.findall(r"^\| ([a-z ]+) \| ([\d.]+ %) \| ([\d.]+ %) \| ([\d.]+ %) \|$", page, re.MULTILINE)
    assert table == [
        (kind.replace("_", " "), *(percent(accuracies[kind], 1) for accuracies in kinds)) for kind in kinds[0]
    ]
    theirs, _, ours = kinds
    assert all(ours[kind] > theirs[kind] - 0.02 for kind in ours)


def test_so_many_labels_are_doubtful_as_the_study_found():
    rows = committed("studies/results/doubtful.csv").splitlines()[1:]
    assert f"{len(rows)} of the 60,000 labels" in words("docs/results.md")


def test_fast_is_as_far_ahead_of_the_fastest_recipe_as_the_benchmark_found():
    for kernels, name in (("AVX-512", "time_to_accuracy"), ("AVX2", "time_to_accuracy_avx2")):
        seconds = {row["contender"]: row["seconds_to_99.0%"] for row in benchmark(name)}
        said = f"{seconds['fast'] / seconds['train_mnist_fast']:.2f} with the kernels for {kernels}"
        assert said in words("docs/results.md")


def test_what_an_earlier_model_is_worth_is_what_the_benchmark_found():
    expected = {(row["pictures_of_each"], row["training"]): percent(row["accuracy"], 1) for row in benchmark("adapt")}
    rows = re.findall(r"^\| (\d+) \| ([\d.]+ %) \| ([\d.]+ %) \|$", committed("docs/data.md"), re.MULTILINE)
    assert expected == {
        (int(count), name): share
        for count, *shares in rows
        for name, share in zip(("small_data", "adapt"), shares, strict=True)
    }


@pytest.mark.parametrize("report", sorted(path.name for path in (ROOT / "benchmarks").glob("*.json")))
def test_a_benchmarks_table_is_that_of_its_json(report):
    rows = json.loads((ROOT / "benchmarks" / report).read_text(encoding="utf-8"))["results"]
    assert table(rows) in (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("\nreading = Reader().read", r"7 [01]\.\d+ False"),  # README
        ("import draw", r"7 [01]\.\d+ False\n7 [01]\.\d+ \(\d+, \d+, \d+, \d+\)"),
        ("form.paste", re.escape("{'a': '7', 'b': '', 'c': '7'}")),
    ],
)
def test_the_examples_in_python_read_the_seven_with_the_released_model(words, printed, tmp_path, monkeypatch, capsys):
    (wheel,) = ROOT.glob("released/*.whl")
    with zipfile.ZipFile(wheel) as archive:
        model = Path(archive.extract("mnist_reader/model.onnx", tmp_path))
    monkeypatch.setattr("mnist_reader.reader.default_model", lambda: model)
    monkeypatch.chdir(ROOT)
    code = block(words)
    exec(code, {})
    output = capsys.readouterr().out.strip()
    assert re.fullmatch(printed, output)
    assert all(said == output for said in re.findall(r"^print\(.*\)  # (.+)$", code, re.MULTILINE))


def test_the_columns_that_are_explained_are_those_of_the_command():
    text = (ROOT / "docs/reading.md").read_text(encoding="utf-8")
    (rows,) = re.findall(r"\| column \|.*\n\|[-|]+\n((?:\|.*\n)+)", text)
    explained = [name for row in rows.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert explained == list(Answer._fields)


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere_and_every_module_that_is_run_exists(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert all((ROOT / page).parent.joinpath(link.partition("#")[0]).exists() for link in links)
    for module in re.findall(r"python -m ((?:apps|cluster|benchmarks|studies|stages)\.\w+)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_every_test_that_contributing_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(test_\w+\.py)(?:::(\w+))?", text)
    assert len(named) > 5
    for file, test in named:
        texts = [path.read_text(encoding="utf-8") for path in ROOT.glob(f"tests/**/{file}")]
        assert any(f"def {test}" in text for text in texts), (file, test)
