"""The memory store keeps the contract."""

from __future__ import annotations

import pytest

from app.runs.store import Store
from app.runs.stores.memory import MemoryStore
from tests.stores.suite import StoreSuite


class TestMemoryStore(StoreSuite):
    """The suite, on a dictionary."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()
