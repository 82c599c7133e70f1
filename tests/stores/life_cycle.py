"""Random histories of a few runs, told to a store and to a model small enough to be believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.instance import Instance, Outcome, Status
from app.store import Store

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
TIMES = st.floats(min_value=0, max_value=4e9)
OUTCOMES = st.one_of(
    st.builds(Outcome, st.just(Status.FINISH), result=TEXTS),
    st.builds(
        Outcome,
        st.just(Status.ABORT),
        error_code=st.integers(-(2**63), 2**63 - 1),
        error_message=TEXTS,
    ),
)


class Model:
    """What a store must answer."""
