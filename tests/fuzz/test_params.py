"""Recipes as people and accidents write it: it is read, or refused in short lines that name the file."""

import random

import pytest

from mnist.core.errors import UserError
from mnist.core.params import load_recipe
from tests.conftest import ROOT
from tests.fuzz.damage import CASES, damaged

TEXT = (ROOT / "recipes/default.yaml").read_text(encoding="utf-8")
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
# What stood behind a traceback, an endless wait or a filled memory once.
WRITTEN = [
    *(TEXT.replace("seed: 0", f"seed: {seed}") for seed in ("!!bool maybe", "!!int ''", "2026-11-24", "&a [*a]")),
    *(TEXT.replace("seed: 0", f"seed: {seed}") for seed in (f"0x{'f' * 1_000_000}", "9" * 5_000)),
    *(TEXT.replace("rate: 0.2", f"rate: {rate}") for rate in ("2026-11-24", "!!set {a, b}", "!!binary c29m", ".nan")),
    *(TEXT.replace("beta_1: 0.85, beta_2: 0.95", argument) for argument in ("epsilon: -1", "beta_1: 2026-11-24")),
    *(TEXT.replace("[h5,", f'["{name}", h5,') for name in ("\\ud800", "line\\nend")),
    TEXT.replace("seed: 0", "? [1, 2]\n: 3"),
    TEXT.replace("epochs: 6", "epochs: 9223372036854775808"),
    TEXT.replace("batch_size: 256", "batch_size: 9223372036854775808"),
    TEXT.replace("learning_rate: 0.008", "learning_rate: 1.0e-45"),
    TEXT.replace("recipe: default", "recipe: größe"),
    BOMB + TEXT,
    BOMB,
    "[" * 10_000,
    "",
    "\0",
]


def refusal(text, path):
    """What the refusal says; nothing where the file is read."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    try:
        load_recipe(path)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("index", range(len(WRITTEN)))
def test_what_went_wrong_once_is_refused_in_a_line_that_names_the_file(index, tmp_path):
    said = refusal(WRITTEN[index], tmp_path / "some.yaml")
    assert WRITTEN[index] != TEXT
    assert said.startswith(f"{tmp_path}/some.yaml: ")
    assert max(map(len, said.splitlines())) < 400


def test_damaged_bytes_are_read_or_refused(tmp_path):
    for content in damaged(TEXT.encode(), "params"):
        refusal(content, tmp_path / "some.yaml")


def test_lines_that_moved_or_hold_something_else_are_read_or_refused(tmp_path):
    values = [
        "",
        "~",
        "-1",
        "1e400",
        "[]",
        "{}",
        "{a: b}",
        "'x'",
        "*nowhere",
        "&a",
        "!!python/object:os.system",
        "2**9",
    ]
    for case in range(CASES):
        rng, lines = random.Random(case), TEXT.splitlines()
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(lines))
            key, colon, _ = lines[at].partition(":")
            lines[at] = rng.choice(
                [f"{key}{colon} {rng.choice(values)}", lines[rng.randrange(len(lines))], "", f" {key}"]
            )
        refusal("\n".join(lines), tmp_path / "some.yaml")
