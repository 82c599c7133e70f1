from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from app.transports.network import NetworkTransport


@pytest.fixture
def transport() -> Iterator[NetworkTransport]:
    """A network transport; that it leaves no socket open is checked after each test."""
    before = _open_files()
    transport = NetworkTransport()
    yield transport
    transport.close()
    assert _open_files() <= before


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))
