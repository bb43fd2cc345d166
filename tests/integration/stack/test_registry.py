"""The embedded schema registry: as strict as the one that the pipeline is deployed with."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.stack.registry import Registry

_AVRO = {"Content-Type": "application/vnd.schemaregistry.v1+json"}


def schema(*fields: dict[str, object]) -> dict[str, str]:
    """A registration request for a record with these fields."""
    return {"schema": json.dumps({"type": "record", "name": "Client", "fields": list(fields)})}


ID = {"name": "id", "type": "string"}
OPTIONAL_NAME = {"name": "name", "type": ["null", "string"], "default": None}
REQUIRED_NAME = {"name": "name", "type": "string"}


def register(url: str, subject: str, request: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{url}/subjects/{subject}/versions", json=request, headers=_AVRO, timeout=20)


@pytest.fixture
def subject() -> str:
    return f"stack.{uuid.uuid4().hex[:8]}-value"


def test_it_takes_a_field_with_a_default_and_refuses_one_without(registry: str, subject: str) -> None:
    assert register(registry, subject, schema(ID)).status_code == 200
    assert register(registry, subject, schema(ID, OPTIONAL_NAME)).status_code == 200

    refused = register(registry, subject, schema(ID, REQUIRED_NAME))

    assert refused.status_code == 409
    assert httpx.get(f"{registry}/subjects/{subject}/versions", timeout=20).json() == [1, 2]


def test_a_new_version_must_read_every_older_one_not_only_the_last(registry: str, subject: str) -> None:
    renamed = {"name": "name", "type": "string", "default": ""}
    number = {"name": "name", "type": "int", "default": 0}
    assert register(registry, subject, schema(ID, renamed)).status_code == 200
    assert register(registry, subject, schema(ID)).status_code == 200  # the field goes ...

    again = register(registry, subject, schema(ID, number))  # ... and comes back as a number

    assert again.status_code == 409


def test_the_same_schema_keeps_its_id(registry: str, subject: str) -> None:
    first = register(registry, subject, schema(ID)).json()["id"]
    assert register(registry, subject, schema(ID)).json()["id"] == first


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("subjects/nothing-here/versions", 404, 40401), ("subjects/nothing-here/versions/1", 404, 40401)],
)
def test_an_unknown_subject_is_named_as_such(registry: str, path: str, status: int, code: int) -> None:
    answer = httpx.get(f"{registry}/{path}", timeout=20)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_an_invalid_schema_is_refused(registry: str, subject: str) -> None:
    answer = register(registry, subject, {"schema": '{"type": "recrod"}'})
    assert answer.status_code == 422


@pytest.fixture
def own_registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry of this test alone, which it may kill."""
    service = Registry(tmp_path / "registry")
    service.start()
    try:
        service.wait_ready()
        yield service
    finally:
        service.stop()


def test_after_a_crash_it_serves_the_same_schemas_and_ids_on_the_same_port(own_registry: Registry) -> None:
    first = register(own_registry.url, "clients-value", schema(ID)).json()["id"]

    own_registry.kill()
    own_registry.start()
    own_registry.wait_ready()

    assert register(own_registry.url, "clients-value", schema(ID)).json()["id"] == first
    assert register(own_registry.url, "clients-value", schema(ID, REQUIRED_NAME)).status_code == 409
