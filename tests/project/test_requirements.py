"""The locked requirements: every package that gets installed, with version and hashes, and no address of an index."""

import re

import pytest

from tests.conftest import ROOT

USES = ["", "-apps", "-dev"]


def lines(file):
    return (ROOT / file).read_text(encoding="utf-8").splitlines()


def pins(file):
    """Name → version, of a locked file or of a readable one and those that it includes."""
    versions = {}
    for line in lines(file):
        if included := re.match(r"-r (\S+)", line):
            versions |= pins(included[1])
        elif pin := re.match(r"([\w.-]+)(?:\[\w+\])?(?:==(\S+))?", line):
            versions[pin[1].lower().replace("_", "-").replace(".", "-")] = pin[2]
    return versions


@pytest.mark.parametrize("use", USES)
def test_what_is_asked_for_is_locked_at_that_version(use):
    locked = pins(f"requirements{use}.txt")
    for name, version in pins(f"requirements{use}.in").items():
        assert name in locked
        assert version in (None, locked[name]), name


@pytest.mark.parametrize("use", USES)
def test_every_package_has_a_version_and_hashes_and_no_address(use):
    text = "\n".join(lines(f"requirements{use}.txt"))
    packages = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(packages) > 20
    for package in packages:
        assert re.match(r"[a-z0-9-]+==[\w.!+]+( ; [^\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", package), package[:80]
    assert not re.search(r"://|--index|--find", text)


@pytest.mark.parametrize("use", USES[:-1])
def test_people_get_the_versions_that_are_tested(use):
    tested, given = pins("requirements-dev.txt"), pins(f"requirements{use}.txt")
    assert {name: tested.get(name) for name in given} == given
