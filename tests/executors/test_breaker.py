"""The circuit breaker: who may try, and when."""

from __future__ import annotations

from app.runs.executors.celery_broker import Breaker


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admitted(breaker: Breaker, callers: int = 3) -> int:
    """How many of these get a ticket."""
    return sum(breaker.admit() is not None for _ in range(callers))


def test_what_works_is_open_to_all() -> None:
    """Nothing has failed: everybody is admitted, and success is no news."""
    breaker = Breaker(2.0, Clock())
    assert admitted(breaker) == 3
    assert not breaker.succeed()
    assert not breaker.is_open


def test_after_a_failure_one_tries_in_each_pause() -> None:
    """Nobody in the pause, one after it, and then nobody again; however the trial goes on."""
    clock = Clock()
    breaker = Breaker(2.0, clock)
    assert breaker.fail()
    assert not breaker.fail()
    assert breaker.is_open
    clock.now += 1.9
    assert admitted(breaker) == 0
    for _ in range(3):
        clock.now += 2.0
        assert admitted(breaker) == 1


def test_a_trial_that_works_opens_it_to_all() -> None:
    """The first success after a failure says so."""
    clock = Clock()
    breaker = Breaker(2.0, clock)
    breaker.fail()
    clock.now += 2.0
    assert admitted(breaker) == 1
    assert breaker.succeed()
    assert admitted(breaker) == 3


def test_a_failure_ends_the_tickets_given_before() -> None:
    """Who was admitted and waited meanwhile learns that it need not try."""
    breaker = Breaker(2.0, Clock())
    ticket = breaker.admit()
    assert ticket is not None
    assert breaker.is_valid(ticket)
    breaker.fail()
    assert not breaker.is_valid(ticket)
