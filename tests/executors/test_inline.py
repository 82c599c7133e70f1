"""The inline executor keeps the contract, in its caller's thread."""

from __future__ import annotations

import threading

import pytest

from app.runs.executors.inline import InlineExecutor
from tests.executors.suite import LANE, PATIENCE, ExecutorSuite, Make


class TestInlineExecutor(ExecutorSuite):
    """The suite, without threads."""

    @pytest.fixture
    def make(self) -> Make:
        return InlineExecutor


def test_submit_returns_when_the_run_has_ended() -> None:
    """The instance is executed inside submit, by the thread that called it."""
    threads: list[threading.Thread] = []
    executor = InlineExecutor(lambda _: threads.append(threading.current_thread()))
    executor.reserve()
    executor.submit("a", LANE)
    assert threads == [threading.current_thread()]
    executor.close(PATIENCE)


def test_a_bug_reaches_the_caller() -> None:
    """What execute raises is raised by submit: the command line shows it."""

    def execute(run_id: str) -> None:
        raise ZeroDivisionError(run_id)

    executor = InlineExecutor(execute)
    executor.reserve()
    with pytest.raises(ZeroDivisionError):
        executor.submit("a", LANE)
