"""docker-compose.yml: the specification's schema, freshax's settings, and what every service must have."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sandbox.ax.model.tables import TABLES
from sandbox.demo.stage import _ROLES
from streams.flows import load_flows
from streams.runtime.settings import Settings, load_settings

FILE = Path("docker-compose.yml")
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("freshax:")}
ONE_SHOT = {"deploy", "ax-database-setup"}
WRITABLE = {"kafka", "ax-database"}
PROMETHEUS: dict[str, Any] = yaml.safe_load(Path("grafana/prometheus.yml").read_text("utf-8"))

every_service = pytest.mark.parametrize("name", SERVICES)
every_service_of_ours = pytest.mark.parametrize("name", OURS)


def schema() -> dict[str, Any]:
    """The Compose Specification's own schema, as the package check-jsonschema carries it."""
    # Found, not imported: the package's own program wants a newer click than Faust allows.
    spec = importlib.util.find_spec("check_jsonschema")
    assert spec is not None
    assert spec.submodule_search_locations
    file = Path(spec.submodule_search_locations[0]) / "builtin_schemas" / "vendor" / "compose-spec.json"
    return dict(json.loads(file.read_text("utf-8")))


def image_environment() -> dict[str, str]:
    """FRESHAX_ variables that the Dockerfile sets."""
    return dict(re.findall(r"(FRESHAX_\w+)=(\S+)", Path("Dockerfile").read_text("utf-8")))


def example_environment() -> dict[str, str]:
    lines = Path("deploy/freshax.env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_it_follows_the_compose_specification() -> None:
    jsonschema.Draft202012Validator(schema()).validate(COMPOSE)


@pytest.mark.parametrize("wrong", [{"imge": "x"}, {"image": "x", "mem_limit": []}, {"image": "x", "depends_on": "a"}])
def test_the_schema_refuses_what_is_no_compose_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate({"services": {"a": wrong}})


@every_service
def test_a_service_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]

    assert re.fullmatch(r"\d+:\d+", service["user"]), "a number, so that it is known without the image"
    assert not service["user"].startswith("0:")
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is (name not in WRITABLE)
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & service.keys()


@every_service
def test_a_service_has_limits_logs_that_end_and_a_health_check(name: str) -> None:
    service = SERVICES[name]

    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["logging"]["options"]["max-size"]
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    if name in ONE_SHOT:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert {"test", "interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()


@every_service
def test_an_image_is_pinned_by_version(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]

    assert re.search(r"\d+\.\d+\.\d+|\d{4}-CU\d+", tag), tag


@every_service
def test_ports_are_published_on_this_host_alone(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


def test_every_service_has_a_profile_that_the_documentation_names() -> None:
    told = set(re.findall(r"^\| `([\w-]+)` \| `", Path("docs/operations.md").read_text("utf-8"), re.MULTILINE))

    assert {profile for service in SERVICES.values() for profile in service["profiles"]} == told


@every_service
def test_what_a_service_uses_is_declared_and_exists(name: str) -> None:
    service = SERVICES[name]
    volumes = {volume.partition(":")[0] for volume in service.get("volumes", ())}

    assert set(service.get("networks", ())) <= COMPOSE["networks"].keys()
    assert volumes <= COMPOSE["volumes"].keys()
    assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
    for config in service.get("configs", ()):
        assert Path(COMPOSE["configs"][config["source"]]["file"]).is_file()
    for needed in service.get("depends_on", {}):
        assert set(SERVICES[needed]["profiles"]) & set(service["profiles"]), f"{needed} is not started with {name}"


def test_nothing_is_declared_that_nobody_uses() -> None:
    for kind in ("networks", "secrets"):
        assert {used for service in SERVICES.values() for used in service.get(kind, ())} == COMPOSE[kind].keys()
    volumes = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert volumes == COMPOSE["volumes"].keys()
    configs = {config["source"] for service in SERVICES.values() for config in service.get("configs", ())}
    assert configs == COMPOSE["configs"].keys()


def test_secrets_are_files_that_are_told_and_never_committed() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", Path("deploy/secrets/README.md").read_text("utf-8"), re.MULTILINE))
    tracked = subprocess.run(
        ["git", "ls-files", "deploy"], capture_output=True, text=True, timeout=20, check=True
    ).stdout.split()

    assert {secret["file"] for secret in COMPOSE["secrets"].values()} == {f"deploy/secrets/{name}" for name in told}
    assert {Path(file).name for file in tracked if file.startswith("deploy/secrets/")} <= {"README.md", ".gitignore"}
    assert "deploy/freshax.env" not in tracked


@every_service
def test_no_secret_stands_in_the_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET|TOKEN|KEY", variable):
            assert value.startswith("/run/secrets/"), variable
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]


@every_service_of_ours
def test_freshax_takes_the_settings_that_it_is_given(name: str, tmp_path: Path) -> None:
    environment = image_environment() | example_environment() | OURS[name]["environment"]
    for variable, value in environment.items():
        if value.startswith("/run/secrets/"):
            assert variable.endswith("_FILE")
            secret = tmp_path / Path(value).name
            secret.write_text("a-secret\n")
            environment[variable] = str(secret)

    settings = load_settings(environment)

    assert settings.kafka.bootstrap_servers == "kafka:9092"
    assert settings.observe.port == 9464
    assert settings.webhook.host == "0.0.0.0"
    if "freshbooks_token_key" in OURS[name].get("secrets", ()):
        assert settings.freshbooks.token_key.get_secret_value() == "a-secret"


def test_a_setting_that_does_not_exist_would_be_seen() -> None:
    with pytest.raises(Exception, match="there is no such setting"):
        load_settings(image_environment() | {"FRESHAX_KAFKA__BOOTSTRAP": "kafka:9092"})


def test_secret_settings_come_as_files_alone() -> None:
    secret = {
        f"FRESHAX_{section}__{field}".upper()
        for section, part in Settings.model_fields.items()
        for field, info in part.annotation.model_fields.items()  # type: ignore[union-attr]
        if "SecretStr" in str(info.annotation)
    }
    given = {variable for service in OURS.values() for variable in service["environment"]}

    assert not secret & (given | example_environment().keys() | image_environment().keys())


def test_each_process_of_freshax_is_a_service_and_waits_for_topics_and_schemas() -> None:
    commands = {name: service["command"] for name, service in OURS.items() if name not in ONE_SHOT}
    workers = {
        role: ["worker", *(part for agent in agents for part in ("--agents", agent))] for role, agents in _ROLES.items()
    }

    assert commands == {"listen": ["listen"], "poll": ["poll"], "capture": ["capture"]} | workers
    for name in commands:
        assert OURS[name]["depends_on"]["deploy"] == {"condition": "service_completed_successfully"}


def test_prometheus_scrapes_every_process_of_freshax() -> None:
    (job,) = [job for job in PROMETHEUS["scrape_configs"] if job["job_name"] == "freshax"]
    fixed = {config["labels"]["service"]: config["targets"] for config in job["static_configs"]}
    (found,) = job["dns_sd_configs"]
    port = image_environment()["FRESHAX_OBSERVE__PORT"]

    assert fixed.keys() | set(found["names"]) == OURS.keys() - ONE_SHOT
    assert all(targets == [f"{name}:{port}"] for name, targets in fixed.items())
    assert str(found["port"]) == port


def test_what_talks_is_in_one_network() -> None:
    def meet(one: str, other: str) -> bool:
        return bool(set(SERVICES[one]["networks"]) & set(SERVICES[other]["networks"]))

    assert all(meet(name, "kafka") and meet(name, "registry") for name in OURS)
    assert all(meet("prometheus", name) for name in OURS.keys() - ONE_SHOT)
    assert meet("prometheus", "grafana")
    assert meet("prometheus", "alertmanager")
    assert not meet("grafana", "kafka")
    assert COMPOSE["networks"]["backend"] == {"internal": True}


def test_the_flow_overrides_load() -> None:
    assert load_flows(None, Path("deploy/flow-overrides.yaml"))


def test_amtool_accepts_alertmanagers_configuration() -> None:
    done = subprocess.run(
        ["amtool", "check-config", "deploy/alertmanager.yml"], capture_output=True, text=True, timeout=30, check=False
    )
    # `url_file` of a webhook is younger than Debian's amtool: the only thing that it may not know.
    unknown = re.findall(r"field (\w+) not found", done.stdout + done.stderr)

    assert done.returncode == 0 or unknown == ["url_file"], done.stdout + done.stderr


def test_the_readers_rights_are_those_that_the_code_needs() -> None:
    script = Path("deploy/sqlserver/enable-cdc.sql").read_text("utf-8")
    granted = set(re.findall(r"GRANT SELECT ON OBJECT::\[dbo\]\.\[(\w+)\]", script))
    sources = [path.read_text("utf-8") for path in Path("connectors/ax").glob("*.py")]
    read = {name for text in sources for name in re.findall(r"\b(?:FROM|JOIN) (?:msdb\.)?dbo\.(\w+)", text)}
    captured = set(re.findall(r"@source_name = N'(\w+)'", script))

    assert captured == {"CUSTTABLE", "DIRPARTYTABLE"}
    # A table that is new here goes into LOOKED_UP in connectors/ax/dba_plan.py.
    assert granted == read | captured


def test_the_test_database_has_the_tables_that_the_sandbox_has() -> None:
    script = Path("deploy/sqlserver/test-tables.sql").read_text("utf-8")
    made = re.findall(r"^CREATE TABLE dbo\.(\w+) .*;$", script, re.MULTILINE)

    assert made == ["DIRPARTYTABLE", "CUSTTABLE", "CUSTINVOICETABLE", "LEDGERJOURNALTABLE", "VENDTRANS"]
    for name in made:
        assert f"{TABLES[name].create_statement()};" in script.splitlines()
