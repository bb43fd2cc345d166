"""Liveness, readiness and metrics of a process on its own port."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

import pytest

from schemas.failures import FatalError
from streams.runtime.health import HealthServer
from streams.runtime.settings import ObserveSettings


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_process_that_has_said_nothing_is_alive_and_not_ready() -> None:
    with HealthServer(ObserveSettings()) as server:
        assert get(server, "/healthz") == (200, "ok\n")
        assert get(server, "/readyz") == (503, "not started\n")


def test_each_failing_check_is_named() -> None:
    state = {"assigned": False, "recovered": True}
    with HealthServer(ObserveSettings()) as server:
        for name in state:
            server.ready_when(name, lambda name=name: state[name])
        assert get(server, "/readyz") == (503, "not assigned\n")
        state["assigned"] = True
        assert get(server, "/readyz") == (200, "ok\n")


def test_a_stalled_process_is_not_alive() -> None:
    with HealthServer(ObserveSettings()) as server:
        server.alive_when("progressing", lambda: False)
        assert get(server, "/healthz") == (503, "not progressing\n")


def test_metrics_are_served_and_other_paths_are_not() -> None:
    with HealthServer(ObserveSettings()) as server:
        assert "freshax_events_total" in get(server, "/metrics")[1]
        assert get(server, "/")[0] == 404


def test_a_taken_port_is_told_with_the_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(FatalError, match="FRESHAX_OBSERVE__PORT"):
            HealthServer(ObserveSettings(port=taken.getsockname()[1]))
