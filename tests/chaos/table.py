"""The summary of all rounds."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.table import table
from tests.chaos.judge import REASONS, Verdict


def summary(verdicts: Sequence[Verdict]) -> str:
    """One line for each count that matters."""
    total = sum(verdicts, Verdict())
    reasons = [*REASONS.values(), *sorted(set(total.ends) - {"FINISH", *REASONS.values()})]
    rows = [
        ("rounds", len(verdicts)),
        ("accepted", total.accepted),
        ("FINISH", total.ends["FINISH"]),
        *((f"ABORT {reason}", total.ends[reason]) for reason in reasons if total.ends[reason]),
        ("refused (503)", total.refused),
        ("no answer", total.broken),
        ("lost", len(total.lost)),
        ("doubled", len(total.doubled)),
        ("refused and yet carried out", len(total.ghosts)),
        ("other findings", len(total.wrong)),
    ]
    return table("Chaos", ("", "runs"), [(name, str(count)) for name, count in rows])
