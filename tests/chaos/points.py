"""The names that the servers under test and the tests agree on."""

from __future__ import annotations

POINTS = (
    "before-add",
    "after-add",
    "after-claim",
    "before-step",
    "after-step",
    "before-checkpoint",
    "after-checkpoint",
    "before-complete",
    "after-complete",
)
"""Where a process can be made to die. ``step`` is the record of a step that begins, ``checkpoint``
that of its end: ``before-checkpoint`` is after the step's effect."""

FOLDER = "CHAOS_FOLDER"
"""The environment variable that names the folder of the armed points."""

ERRORS = "CHAOS_STORE_ERRORS"
"""The environment variable that says which part of the store's calls fails: ``0.01``."""

POISON = "poison"
"""The flow that kills whoever claims a run of it."""
