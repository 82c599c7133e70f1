"""What all tests share: slow files begin first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.downstream import SEVEN, Downstream

pytest_plugins = ["tests.left_behind"]

SLOW = (
    "chaos",
    "docs",
    "cookbook",
    "blackbox",
    "executors",
    "engine",
    "life",
    "transports",
    "stores",
    "database",
    "cli",
    "web",
    "expression",
)
"""Folders and files below this one that take long, the longest first.

They begin before all others, so that at the end no core waits for the last of them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by how long their files take; within a file they stay as they are."""
    ranks = {name: rank for rank, name in enumerate(SLOW)}
    here = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(here).parts[0], len(SLOW)))


@pytest.fixture
def gate() -> Iterator[Downstream]:
    """A downstream that holds its callers until the test lets them go."""
    with Downstream(SEVEN, is_open=False) as gate:
        yield gate
