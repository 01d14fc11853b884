"""The manifests under docs/kubernetes and the table in docs/serving.md agree with the service."""

import json
import re
import sys

import pytest
import yaml

from apps.serve import command
from apps.serve.access import OPEN
from apps.serve.settings import Limits, Settings
from tests.clones import ROOT

FOLDER = ROOT / "docs/kubernetes"


def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


@pytest.fixture
def pod():
    deployment, _ = documents("deployment.yaml")
    return deployment["spec"]["template"]["spec"]


@pytest.fixture
def container(pod):
    (container,) = pod["containers"]
    return container


def test_service_sends_to_the_port_that_the_deployment_opens(container):
    deployment, service = documents("deployment.yaml")
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == ("http", Settings().port)
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels


def test_command_line_is_one_that_the_service_takes(container, monkeypatch):
    (start,) = re.findall(r"^ENTRYPOINT (.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    monkeypatch.setattr(sys, "argv", [*json.loads(start)[2:], *container["args"]])
    monkeypatch.setenv("MNIST_TOKEN", "secret")
    settings = command.parse()
    assert (settings.host, settings.port) == ("0.0.0.0", container["ports"][0]["containerPort"])
    assert "$(POD_IP)" in settings.allowed_hosts  # by which the probes ask


def test_token_comes_from_a_secret(container):
    (token,) = [variable for variable in container["env"] if variable["name"] == command.TOKEN]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "mnist-token", "key": "token"}


def test_probes_ask_what_needs_no_token(container):
    probes = {name: value["httpGet"]["path"] for name, value in container.items() if name.endswith("Probe")}
    assert set(probes) == {"startupProbe", "readinessProbe", "livenessProbe"}
    assert set(probes.values()) == {"/health"} <= set(OPEN)


def test_memory_is_limited_and_the_disk_read_only(container):
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "768Mi"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_pod_is_given_time_to_answer_what_it_has_begun(pod, container):
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= Limits().stop_seconds + pause


def test_kserve_is_given_the_layout_that_the_page_describes():
    (inference,) = documents("kserve.yaml")
    assert (inference["apiVersion"], inference["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    model = inference["spec"]["predictor"]["model"]
    assert (model["protocolVersion"], model["modelFormat"]) == ("v2", {"name": "onnx"})
    assert model["storageUri"].endswith("/models")
    assert "models/mnist/1/model.onnx" in (FOLDER / "kserve.yaml").read_text(encoding="utf-8")
    assert "models/mnist/1/model.onnx" in (ROOT / "docs/serving.md").read_text(encoding="utf-8")


def test_table_of_limits_is_the_services_own():
    text = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,.]+) ", text, re.MULTILINE)
    numbers = {name: float(number.replace(",", "")) for name, number in rows}
    mebi = {name: value / 2**20 if name.endswith("_bytes") else value for name, value in Limits()._asdict().items()}
    assert numbers == mebi | {"connections": command.CONNECTIONS}
