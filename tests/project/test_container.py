"""The image of the service: built and run from the Dockerfile as it is written, without a container engine."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import yaml

from apps.serve import command
from apps.serve.settings import Limits, Settings
from tests.clones import ROOT
from tests.tools import unavailable

TOKEN = {"MNIST_TOKEN": "secret"}
PR_CAPBSET_DROP, CAPABILITIES = 24, range(64)  # linux/prctl.h, and more than linux/capability.h has


def instructions():
    """Each instruction of the Dockerfile and its arguments, in order."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    return [line.split(maxsplit=1) for line in text.replace("\\\n", "").splitlines()]


def argument(name):
    """The arguments of an instruction that occurs once."""
    (value,) = [rest for found, rest in instructions() if found == name]
    return value


def health_check():
    return json.loads(argument("HEALTHCHECK").partition("CMD ")[2])


def is_sent(path):
    """Whether .dockerignore lets a file of the project into the image: the last line that matches it decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if not line.startswith("#") and re.fullmatch(f"{pattern}(/.*)?", path):
            sent = line.startswith("!")
    return sent


def copy(sources, target):
    """COPY: files by their names, and what folders hold."""
    for source in [path for pattern in sources for path in ROOT.glob(pattern)]:
        for file in [source] if source.is_file() else source.rglob("*"):
            if file.is_file() and is_sent(file.relative_to(ROOT).as_posix()):
                place = target / (file.name if file == source else file.relative_to(source))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)


@pytest.fixture(scope="module")
def image():
    """A folder with a fresh Python and what the Dockerfile puts beside it, without write bits; and its environment."""
    with tempfile.TemporaryDirectory() as name:  # removed at once, because it is large
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", folder / "python"], check=True)
        image = SimpleNamespace(folder=folder, variables={"PATH": f"{folder}/python/bin:{os.environ['PATH']}"})
        for instruction, rest in instructions():
            build(image, instruction, rest)
        subprocess.run(["chmod", "-R", "a-w", folder], check=True)
        yield image


def build(image, instruction, rest):
    """Do one instruction."""
    match instruction, rest.split():
        case "WORKDIR", [path]:
            image.app = image.folder / path.lstrip("/")
            image.app.mkdir()
        case "COPY", [*sources, target]:
            copy(sources, image.app / target)
        case "RUN", _:
            run(image, rest)
        case "ENV", variables:
            image.variables |= dict(variable.split("=") for variable in variables)
        case _:
            assert instruction in ("FROM", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT")


def run(image, line):
    """RUN: needs the network."""
    options = {"shell": True, "cwd": image.app, "env": os.environ | image.variables, "text": True}
    done = subprocess.run(line, capture_output=True, check=False, **options)
    if "NewConnectionError" in done.stderr:
        unavailable("needs the package index")
    assert done.returncode == 0, done.stderr


def drop_capabilities():
    """What `cap_drop: ALL` does: root may write only where the write bits let it. It does nothing to other users."""
    if sys.platform == "linux":
        for number in CAPABILITIES:
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, number)


def start(image, arguments, **variables):
    """Start a process in the image; without the variables that belong to the tests' own Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = kept | image.variables | variables
    return subprocess.Popen(arguments, cwd=image.app, env=environment, preexec_fn=drop_capabilities, **pipes)


@contextmanager
def running(image):
    """The image's service on a free port, and that port."""
    process = start(image, [*json.loads(argument("ENTRYPOINT")), "--port=0"], **TOKEN)
    try:
        line = process.stdout.readline()
        assert re.fullmatch(r"read at http://0\.0\.0\.0:\d+/ \(Ctrl-C ends it\)\n", line), line + process.stdout.read()
        yield re.search(r":(\d+)/", line)[1]
    finally:
        process.terminate()
        process.communicate(timeout=60)


def files_of(image):
    """Size and time of change of each file, by its path."""
    states = ((path, path.lstat()) for path in image.folder.rglob("*"))
    return {path: (state.st_size, state.st_mtime_ns) for path, state in states}


@pytest.mark.slow
def test_image_answers_a_browser_on_the_host_and_reads_with_the_released_model(image):
    with running(image) as port:
        for host in ("127.0.0.1", "localhost"):
            page = requests.get(f"http://127.0.0.1:{port}/", headers={"Host": f"{host}:7860"}, timeout=60)
            assert (page.status_code, "<canvas" in page.text) == (200, True)
        picture, token = (ROOT / "docs/digit.png").read_bytes(), {"Authorization": "Bearer secret"}
        answer = requests.post(f"http://127.0.0.1:{port}/read", picture, headers=token, timeout=60)
        (reading,) = answer.json()["readings"]
        assert (reading["text"], reading["unsure"]) == ("7", False)
        assert requests.post(f"http://127.0.0.1:{port}/read", picture, timeout=60).status_code == 401


@pytest.mark.slow
def test_health_check_succeeds_while_the_service_runs_and_fails_when_it_is_gone(image):
    def healthy(port):
        command = [part.replace(argument("EXPOSE"), port) for part in health_check()]
        check = start(image, command, http_proxy="http://127.0.0.1:9")
        check.communicate(timeout=60)
        return check.returncode == 0

    with running(image) as port:
        assert healthy(port)
    assert not healthy(port)


@pytest.mark.slow
def test_service_writes_nothing_into_its_image_which_it_could_not(image):
    before = files_of(image)
    with running(image) as port:
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=60).json() == {"status": "ok"}
    touch = start(image, ["touch", "new"])
    assert "Permission denied" in touch.communicate()[0]
    assert files_of(image) == before
    assert (
        image.variables["TMPDIR"] == "/dev/shm"
    )  # which engines leave writable; elsewhere the service would not start


@pytest.mark.slow
def test_image_holds_the_service_alone(image):
    packages = {path.name.partition("-")[0] for path in image.folder.glob("python/lib/*/site-packages/*.dist-info")}
    assert "mnist_reader" in packages and not packages & {"dvc", "tensorflow", "pytest"}
    assert {path.name for path in image.app.glob("apps/*")} == {"__init__.py", "serve"}


def test_port_user_and_name_are_the_same_everywhere():
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    deployment, _ = yaml.safe_load_all((ROOT / "docs/kubernetes/deployment.yaml").read_text(encoding="utf-8"))
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    port = Settings().port
    assert [argument("EXPOSE"), service["ports"]] == [str(port), [f"127.0.0.1:{port}:{port}"]]
    assert f"'127.0.0.1', {port})" in health_check()[-1]
    assert container["ports"] == [{"name": "http", "containerPort": port}]
    user = pod["securityContext"]["runAsUser"]
    assert user > 0 and argument("USER") == f"{user}:{user}"
    assert container["image"] == f"{service['image']}:latest"
    assert f"docker build -t {service['image']} ." in (ROOT / "docs/serving.md").read_text(encoding="utf-8")


def test_python_of_the_image_is_one_that_the_service_is_tested_with():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    version = re.fullmatch(r"python:(.+)-slim", argument("FROM"))[1]
    assert version in workflow["jobs"]["reader"]["strategy"]["matrix"]["python"]


def test_compose_leaves_the_container_no_rights_and_time_to_answer_what_it_has_begun():
    (service,) = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["environment"] == [command.TOKEN]
    assert int(service["stop_grace_period"].removesuffix("s")) >= Limits().stop_seconds


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("apps/serve/page/index.html", True),
        ("released/mnist_reader-2.2.0-py3-none-any.whl", True),
        ("apps/serve/__pycache__/app.cpython-313.pyc", False),
        ("apps/predict.py", False),
        ("released/MNIST_keras_CNN.h5", False),
        (".git/config", False),
        ("data/own/train.csv", False),
    ],
)
def test_only_the_service_and_the_wheel_are_sent_to_the_builder(path, sent):
    assert is_sent(path) == sent
