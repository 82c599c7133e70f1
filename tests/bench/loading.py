"""*loading*: a thousand flow files, each a little different: at the start, and when idle.

``python -m tests.bench.loading [COUNT]``
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from app.catalog.catalog import Catalog
from app.language.environment import Environment
from tests.bench.processes import ROOT
from tests.bench.table import table

COUNT = 1_000
REFRESHES = 10


def variant(text: str, number: int) -> str:
    """The flow with expressions of its own, so that no cache of another one serves it."""
    return (
        text.replace("100000", str(100_000 + number))
        .replace("body.userId", f"body.userId{number}")
        .replace("inputs.userName}", f'inputs.userName + "{number}"}}')
        .replace("送10元话费", f"送{number}元话费")
    )


def milliseconds(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU time of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def report(count: int = COUNT) -> str:
    """Measure, and say it in a table."""
    text = (ROOT / "flows" / "sync_example" / "v1.yaml").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            file = Path(folder) / f"flow_{number}" / "v1.yaml"
            file.parent.mkdir()
            file.write_text(variant(text, number), encoding="utf-8")
        catalog = Catalog(Path(folder), Environment, logging.getLogger("siteswap"))
        first = milliseconds(catalog.refresh)
        idle = min(milliseconds(catalog.refresh) for _ in range(REFRESHES))
        assert not any(entry.is_broken for entry in catalog.entries())
    rows = [
        (what, f"{wall:.1f}", f"{cpu:.1f}")
        for what, (wall, cpu) in (("first load", first), ("refresh, no change", idle))
    ]
    return table(f"loading: ms for {count} flows", ("", "wall", "CPU"), rows)


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
