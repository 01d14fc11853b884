"""cluster.sweep: the real git, dvc and Dask; workers and schedulers killed."""

import os
import re
import signal
import subprocess

import pytest

from cluster.sweep import reason
from tests.clones import ROOT, digest, repository
from tests.cluster.engines import scheduler, until, working

pytestmark = pytest.mark.slow
PROJECT = {  # seed 2 trains until there is a file `gate`, so that a test can act in the meantime
    "params.yaml": "seed: 0\ntrain:\n  learning_rate: 0.01\n",
    "dvc.yaml": """
stages:
  train:
    cmd: python train.py
    params: [seed, train]
    deps: [train.py]
    outs: [model]
    metrics: [metrics/evaluate.json: {cache: false}]
""",
    "train.py": """
import json, os, sys, time, pathlib, yaml
params = yaml.safe_load(pathlib.Path("params.yaml").read_text())
while params["seed"] == 2 and not pathlib.Path(os.environ.get("GATE", "nowhere")).exists():
    time.sleep(0.05)
if params["train"]["learning_rate"] < 0:
    sys.exit("error: params.yaml: train.learning_rate: expected a number above 0")
pathlib.Path("model").write_text(f"{params['seed']} {os.environ['TF_NUM_INTRAOP_THREADS']}")
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/evaluate.json").write_text(json.dumps({"accuracy": 0.9 + params["seed"] / 100}))
""",
}


def publish(clone):
    """Commit, and put the commit and the data where others can get them: on a Git remote and a DVC remote."""
    clone.commit("everything")
    clone.run("git", "init", "--quiet", "--bare", "../origin.git")
    clone.run("git", "remote", "add", "origin", "../origin.git")
    clone.run("git", "push", "--quiet", "--set-upstream", "origin", "main")
    clone.run("dvc", "push", "--quiet")
    (clone.folder.parent / "tmp").mkdir()
    clone.environment |= {"TMPDIR": str(clone.folder.parent / "tmp"), "PYTHONPATH": str(ROOT)}
    return clone


@pytest.fixture
def shared(tmp_path):
    """A project of one quick stage."""
    clone = repository(tmp_path / "clone")
    for name, text in PROJECT.items():
        (clone.folder / name).write_text(text)
    clone.run("dvc", "remote", "add", "--default", "storage", "../storage")
    clone.environment["GATE"] = str(tmp_path / "gate")
    return publish(clone)


def sweep(clone, *options):
    return clone.start("python", "-m", "cluster.sweep", *options)


def accuracies(output):
    """Those of the table of results, from top to bottom."""
    return [float(accuracy) for accuracy in re.findall(r"\[\w{7}-\w{8}\] +(0\.9\d*) ", output)]


def pushed(clone):
    return len(clone.run("git", "ls-remote", "origin", "refs/exps/*").splitlines())


def test_a_killed_worker_changes_nothing_and_a_second_call_runs_nothing(shared, tmp_path):
    process = sweep(shared, "-S", "seed=0,1,2", "--workers", "2")
    until(lambda: pushed(shared) == 2)
    training = until(lambda: working("python train.py", process.pid))[-1]
    next(parent for parent in training.parents() if "spawn_main" in " ".join(parent.cmdline())).kill()
    until(lambda: not training.is_running())
    (tmp_path / "gate").touch()
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("3 experiments, 0 done before\n")
    assert sorted(re.findall(r"^ +\d+ s  (seed=\d)  done$", output, re.MULTILINE)) == ["seed=0", "seed=1", "seed=2"]
    assert accuracies(output) == [0.92, 0.91, 0.9]
    assert not list((tmp_path / "tmp").glob("mnist-cluster-*"))

    again = shared.run("python", "-m", "cluster.sweep", "-S", "seed=0,1,2")
    assert again.startswith("3 experiments, 3 done before\n")
    assert "  done\n" not in again
    assert accuracies(again) == [0.92, 0.91, 0.9]


def test_the_number_of_threads_is_part_of_an_experiment(shared):
    for threads in "12":
        output = shared.run("python", "-m", "cluster.sweep", "-S", "seed=1", "--threads", threads)
        assert output.startswith("1 experiments, 0 done before\n")
    models = set()
    for name in shared.run("dvc", "exp", "list", "--name-only").split():
        shared.run("dvc", "exp", "apply", name)
        models.add((shared.folder / "model").read_text())
        shared.run("git", "restore", ".")
    assert models == {"1 1", "1 2"}


def test_experiments_that_fail_are_named_and_the_others_are_kept(shared):
    process = sweep(shared, "-S", "seed=0,1", "-S", "train.learning_rate=0.01,-1")
    output, errors = process.communicate()
    assert process.returncode == 1
    assert errors == "error: 2 of 4 experiments failed\n"
    assert output.count("learning_rate=0.01  done\n") == pushed(shared) == len(accuracies(output)) == 2
    assert output.count("learning_rate=-1  failed: error: params.yaml: train.learning_rate: expected a number") == 2


def test_a_lost_scheduler_is_said_and_its_worker_stops_the_training(shared, tmp_path):
    with scheduler(tmp_path) as (address, process_of_scheduler, tls):
        shared.environment |= tls | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "15s"}
        process = sweep(shared, "-S", "seed=2", "--scheduler", address)
        training = until(lambda: working("python train.py"))[-1]
        os.killpg(process_of_scheduler.pid, signal.SIGKILL)
        _, errors = process.communicate()
        assert process.returncode == 1
        assert errors == "error: expected a connection to the scheduler that lasts, lost it; call the program again\n"
        until(lambda: not training.is_running())


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (signal.SIGINT, "error: interrupted"),
        (signal.SIGTERM, "error: ended by SIGTERM"),
        (signal.SIGHUP, "error: ended by SIGHUP"),
    ],
)
def test_an_interrupt_ends_everything(shared, tmp_path, number, line):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("programs ignore it here, as those under nohup do")
    process = sweep(shared, "-S", "seed=2")
    training = until(lambda: working("python train.py", process.pid))[-1]
    os.killpg(process.pid, number)  # as a terminal does, to the whole group
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == f"{line}\n"
    until(lambda: not training.is_running())
    assert not list((tmp_path / "tmp").glob("mnist-cluster-*"))


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
    process = sweep(shared, "-S", "seed=0", *options)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert len(errors.splitlines()) == 1, errors
    assert all(word in errors for word in words), errors


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("ERROR: no space\n\nHaving any troubles? Hit us up", "ERROR: no space"),
        ("'./dvc.yaml' is invalid.\n\nin line 9\n  10   \n", "'./dvc.yaml' is invalid."),
        ("Traceback\n  File\nKeyError: 1\n", "KeyError: 1"),
        ("", "it said nothing"),
    ],
)
def test_the_reason_of_a_failure_is_the_line_that_says_it(output, line):
    assert reason(output) == line


def test_an_experiment_of_the_pipeline_has_the_bytes_of_dvc_exp_run(reproduced, tmp_path):
    settings = ["-S", "train.epochs=1", "-S", "seed=3"]
    clone = publish(reproduced.copy(tmp_path))
    assert "seed=3  done\n" in clone.run("python", "-m", "cluster.sweep", *settings)
    clone.run("dvc", "exp", "apply", clone.run("dvc", "exp", "list", "--name-only").split()[0])
    model = digest(clone)
    clone.run("git", "restore", ".")
    clone.run("dvc", "exp", "run", "--force", *settings)
    assert digest(clone) == model
