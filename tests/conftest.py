"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.downstream import SEVEN, Downstream


@pytest.fixture
def gate() -> Iterator[Downstream]:
    """A downstream that holds its callers until the test lets them go."""
    with Downstream(SEVEN, is_open=False) as gate:
        yield gate
