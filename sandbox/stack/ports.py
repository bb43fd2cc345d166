"""Free loopback ports that stay free.

A port from the kernel's ephemeral range is a trap for a service that is killed and started again: a client
that keeps connecting to it may be given that very port as its own source port, connect to itself, and hold it
for good. So ports are taken from below that range.
"""

import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"

_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 20_000  # above the ports that well-known services use by default
_DEFAULT_HIGHEST = 32_767  # the last port below Linux's usual ephemeral range

_handed_out: set[int] = set()


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on and that this process has not handed out before.

    Another process may take it before the caller does; the chance is small, and the caller then fails with
    "address in use".

    Raises: OSError if no port can be found.
    """
    highest = _highest_port()
    for _ in range(200):
        port = _LOWEST + secrets.randbelow(highest - _LOWEST + 1)
        if port not in _handed_out and _is_free(port):
            _handed_out.add(port)
            return port
    raise OSError(f"no free port on {LOOPBACK} between {_LOWEST} and {highest} after 200 tries")


def is_open(port: int) -> bool:
    """True when something accepts connections on `port` of 127.0.0.1."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.5):
            return True
    except OSError:
        return False


def _highest_port() -> int:
    try:
        first_ephemeral = int(_EPHEMERAL_RANGE.read_text().split()[0])
    except OSError:
        return _DEFAULT_HIGHEST
    return first_ephemeral - 1 if first_ephemeral > _LOWEST + 1000 else _DEFAULT_HIGHEST


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
