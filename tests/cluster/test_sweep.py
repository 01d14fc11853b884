"""cluster.sweep: the real git, dvc and Dask; experiments on a small data set, workers killed, connections cut."""

import os
import re
import signal
import subprocess

import pytest

from tests.clones import MODEL, digest
from tests.cluster.engines import scheduler, until, worker_of, working

pytestmark = pytest.mark.slow
SHORT = ["-S", "trainings.quick.epochs=1", "-S", "export.formats=[h5,onnx]"]


@pytest.fixture
def shared(reproduced, tmp_path):
    """A clone whose commit and data others can get: on a Git remote and a DVC remote."""
    clone = reproduced.copy(tmp_path)
    (tmp_path / "tmp").mkdir()
    clone.environment["TMPDIR"] = str(tmp_path / "tmp")
    clone.run("git", "init", "--quiet", "--bare", "../origin.git")
    clone.run("git", "remote", "add", "origin", "../origin.git")
    clone.run("git", "push", "--quiet", "--set-upstream", "origin", "main")
    clone.run("dvc", "push", "--quiet")
    return clone


def sweep(clone, *options):
    return clone.start("python", "-m", "cluster.sweep", *SHORT, *options)


def pushed(clone):
    return len(clone.run("git", "ls-remote", "origin", "refs/exps/*").splitlines())


def models(clone):
    """SHA-256 of the model of each seed, as the experiments here have it."""
    found = {}
    for name in clone.run("dvc", "exp", "list", "--name-only").split():
        clone.run("dvc", "exp", "apply", name)
        seed = re.search(r"^seed: (\d+)", (clone.folder / "params.yaml").read_text(), re.MULTILINE)[1]
        found[seed] = digest(clone)
        clone.run("git", "restore", ".")
    return found


def test_a_killed_worker_changes_nothing_and_a_second_call_runs_nothing(shared, tmp_path):
    process = sweep(shared, "-S", "seed=0,1,2", "--workers", "2")
    until(lambda: pushed(shared))  # one has arrived, so nothing may run it again
    training = until(lambda: working(process.pid, "stages.train"))[0]
    worker_of(training).kill()
    until(lambda: not training.is_running(), 5)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert errors == ""
    assert output.startswith("3 experiments, 0 done before\n")
    assert len(re.findall(r"^ +\d+ s  .*seed=\d  done$", output, re.MULTILINE)) == 3
    table = output[output.index("accuracy") :].splitlines()[1:]
    accuracies = [float(line.split()[0]) for line in table]
    assert len(table) == 3
    assert accuracies == sorted(accuracies, reverse=True)
    assert not list((tmp_path / "tmp").glob("mnist-cluster-*"))

    again = shared.run("python", "-m", "cluster.sweep", *SHORT, "-S", "seed=0,1,2")
    assert again.startswith("3 experiments, 3 done before\n")
    assert " done\n" not in again.partition("\n")[2]

    found = models(shared)
    shared.run("dvc", "exp", "run", *SHORT, "-S", "seed=2", "--name", "alone")
    assert digest(shared, MODEL) == found["2"]
    assert len(set(found.values())) == 3


def test_a_scheduler_under_tls_whose_connections_are_cut_once(shared, tmp_path):
    with scheduler(tmp_path, workers=1) as (address, wire, environment):
        shared.environment |= {name: value for name, value in environment.items() if name.startswith("DASK")}
        process = sweep(shared, "-S", "seed=0,1", "-S", "trainings.quick.learning_rate=0.01,-1", "--scheduler", address)
        until(lambda: pushed(shared))
        wire.cut()
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 1
        assert errors == "error: 2 of 4 experiments failed\n"
        assert output.count("  done\n") == pushed(shared) == 2
        failures = [line for line in output.splitlines() if "failed: error: params.yaml: trainings.quick" in line]
        assert len(failures) == 2
        assert not list((tmp_path / "space").rglob("clone"))


@pytest.mark.parametrize(
    ("before", "options", "words"),
    [
        (["sh", "-c", "echo '# more' >> params.yaml"], [], ["params.yaml: expected no change"]),
        (["git", "commit", "-q", "--allow-empty", "-m", "x"], [], ["on the Git remote origin", "git push"]),
        (["true"], ["-S", "seed=1,,2"], ["error: -S", "seed=1,,2"]),
        (["true"], ["--scheduler", "tcp://127.0.0.1:1"], ["tcp://127.0.0.1:1: expected a Dask scheduler"]),
        (["true"], ["--remote", "nowhere"], ["Git remote nowhere"]),
    ],
)
def test_what_cannot_be_handed_out_is_said_in_one_line(shared, before, options, words):
    shared.environment["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "2s"
    subprocess.run(before, cwd=shared.folder, env=shared.environment, check=True)
    process = sweep(shared, *options)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1, errors
    assert all(word in errors for word in words), errors


def test_an_interrupt_ends_everything(shared, tmp_path):
    process = sweep(shared, "-S", "seed=0")
    training = until(lambda: working(process.pid, "stages.train"))[0]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the whole group
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == "error: interrupted\n"
    until(lambda: not training.is_running(), 5)
    assert not list((tmp_path / "tmp").glob("mnist-cluster-*"))
