"""The manifests under docs/kubernetes agree with the service that they start."""

import shlex
import sys

import pytest
import yaml

from apps.serve import __main__ as command
from apps.serve.gate import OPEN
from apps.serve.settings import Limits, Settings
from tests.clones import ROOT

FOLDER = ROOT / "docs/kubernetes"


def documents(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def pods():
    deployment, _ = documents("deployment.yaml")
    (inference,) = documents("kserve.yaml")
    return {"Deployment": deployment["spec"]["template"]["spec"], "InferenceService": inference["spec"]["predictor"]}


@pytest.fixture(params=["Deployment", "InferenceService"])
def container(request):
    (container,) = pods()[request.param]["containers"]
    return container


def test_service_sends_to_the_port_that_the_deployment_opens():
    deployment, service = documents("deployment.yaml")
    (port,) = pods()["Deployment"]["containers"][0]["ports"]
    assert (port["name"], port["containerPort"]) == ("http", Settings(command.MODEL).port)
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"] == labels


def test_command_line_is_one_that_the_service_takes(container, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["serve", *container["args"]])
    monkeypatch.setenv("MNIST_TOKEN", "secret")
    settings = command.parse()
    assert (settings.host, settings.port) == ("0.0.0.0", container["ports"][0]["containerPort"])


def test_token_comes_from_a_secret(container):
    (token,) = [variable for variable in container["env"] if variable["name"] == command.TOKEN]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "mnist-token", "key": "token"}


def test_probes_ask_what_needs_no_token(container):
    probes = {name: value["httpGet"] for name, value in container.items() if name.endswith("Probe")}
    assert probes["readinessProbe"]["path"] == "/v2/health/ready"
    assert probes["livenessProbe"]["path"] == "/v2/health/live"
    assert {probe["path"] for probe in probes.values()} <= set(OPEN)


def test_probes_are_asked_by_a_host_that_is_served(container):
    by_address = "--allowed-host=$(POD_IP)" in container["args"]
    hosts = {header["value"] for probe in ("readinessProbe", "livenessProbe") for header in host(container[probe])}
    assert by_address or hosts == {"localhost"}


def host(probe):
    return [header for header in probe["httpGet"].get("httpHeaders", []) if header["name"] == "Host"]


def test_memory_and_processor_are_limited(container):
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "768Mi"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_pod_is_given_time_to_answer_what_it_has_begun():
    pod = pods()["Deployment"]
    pause = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= Limits().stop_seconds + pause


def test_kserve_is_told_the_protocol():
    (inference,) = documents("kserve.yaml")
    assert (inference["apiVersion"], inference["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    (container,) = inference["spec"]["predictor"]["containers"]
    assert container["name"] == "kserve-container"
    assert {"name": "PROTOCOL", "value": "v2"} in container["env"]


def test_image_holds_what_the_service_needs():
    lines = (FOLDER / "deployment.yaml").read_text(encoding="utf-8").splitlines()
    copied = [shlex.split(line)[2] for line in lines if line.startswith("#   COPY ")]
    assert {"mnist", "apps", "requirements-apps.txt", "models/export"} == set(copied)
    assert all((ROOT / path).exists() for path in copied if path != "models/export")
