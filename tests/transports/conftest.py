from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.http.client.transport import NetworkTransport


@pytest.fixture
def transport() -> Iterator[NetworkTransport]:
    """A network transport; that it leaves no socket open is checked after each test."""
    before = _open_sockets()
    transport = NetworkTransport()
    yield transport
    transport.close()
    assert _open_sockets() == before


def _open_sockets() -> int:
    return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())
