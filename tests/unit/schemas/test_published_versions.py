"""A published schema version is never edited: golden.json keeps the digest of each, as readers out there know it."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import fastavro
import pytest

from schemas import avro
from tests.unit.schemas.test_avro_schemas import RECORD_OF, from_json, named_in

FOLDER = Path(avro.__file__).parent
GOLDEN = Path(__file__).parent / "golden.json"


def digests() -> dict[str, str]:
    """Digest of the canonical text of every version, by `<name>/v<n>`."""
    found = {}
    for file in sorted(FOLDER.glob("*/v*.avsc")):
        number = int(file.stem[1:])
        text = avro.text(file.parent.name, number)
        found[f"{file.parent.name}/v{number}"] = hashlib.sha256(text.encode()).hexdigest()
    return found


def test_published_versions_are_as_they_were() -> None:
    golden = json.loads(GOLDEN.read_text())
    edited = [name for name, digest in golden.items() if digests().get(name) != digest]

    assert edited == [], "add a new version beside it instead: schemas/avro/<name>/v<n+1>.avsc"


def test_new_versions_are_recorded() -> None:
    assert digests().keys() == json.loads(GOLDEN.read_text()).keys(), "record the new version's digest in golden.json"


def test_versions_of_a_schema_have_no_gap() -> None:
    for folder in (path for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__"):
        numbers = sorted(int(file.stem[1:]) for file in folder.glob("v*.avsc"))
        assert numbers == list(range(1, len(numbers) + 1)), folder.name


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if (path / "v2.avsc").exists()))
def test_the_newest_version_reads_the_examples_of_all_earlier_ones(name: str) -> None:
    reader = avro.load(name)
    for number in range(1, avro.latest_version(name)):
        writer = avro.load(name, number)
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, writer, from_json(writer, avro.example(name, number), named_in(writer)))
        buffer.seek(0)

        value = fastavro.schemaless_reader(buffer, writer, reader)

        assert RECORD_OF[name].from_avro(value).to_avro().keys() == {field["name"] for field in reader["fields"]}
