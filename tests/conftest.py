"""Fixtures that several tiers share. A service that cannot start fails its tests; it never skips them."""

from collections.abc import Callable, Iterator

import pytest

from tests.kit.stack import SharedStack, create_topic


@pytest.fixture(scope="session")
def shared_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedStack]:
    """The embedded services of this run; stopped at its end, also after Ctrl-C."""
    stack = SharedStack(tmp_path_factory.mktemp("stack"), request.session)
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def kafka(shared_stack: SharedStack) -> str:
    """Bootstrap address of the shared Kafka. Topics are shared too: name them by `new_topic`."""
    return shared_stack.kafka


@pytest.fixture(scope="session")
def registry(shared_stack: SharedStack) -> str:
    """URL of the shared registry's Confluent API. Its subjects outlive a test: name them by the topic."""
    return shared_stack.registry


@pytest.fixture
def new_topic(kafka: str) -> Callable[..., str]:
    """`new_topic("clients", partitions=4, config={...})` creates a topic with a unique name and returns that."""

    def create(name: str, **options: object) -> str:
        return create_topic(kafka, name, **options)  # type: ignore[arg-type]

    return create
