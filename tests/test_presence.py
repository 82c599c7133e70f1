"""Who is gone: told by numbers that stand still, for as long as somebody watched them."""

from __future__ import annotations

from app.runs.failure_detector import LOOKS_PER_LEASE, FailureDetector

LEASE = 12.0
LOOK = LEASE / LOOKS_PER_LEASE


class Watcher:
    """A watch whose time a test moves; ``me`` is who watches."""

    def __init__(self) -> None:
        self.time = 1_000.0
        self.watch = FailureDetector(LEASE, lambda: self.time)

    def after(self, seconds: float, **owners: int | None) -> set[str]:
        """Who is gone, so much later."""
        self.time += seconds
        return self.watch.gone(owners, {"me"})


def test_who_stands_still_for_a_lease_is_gone() -> None:
    """Not before: a number seen for the first time may be about to grow."""
    watcher = Watcher()
    looks = [watcher.after(LOOK, me=1, other=7) for _ in range(LOOKS_PER_LEASE + 1)]
    assert looks == [*[set()] * LOOKS_PER_LEASE, {"other"}]


def test_who_gives_signs_of_life_is_not_gone() -> None:
    """However long it lives, and though its number may also become smaller."""
    watcher = Watcher()
    for number in [*range(30), *range(30, 0, -1)]:
        assert watcher.after(LOOK, me=1, other=number) == set()


def test_who_watches_is_present() -> None:
    """Even if nobody has heard of it for long."""
    watcher = Watcher()
    assert all(not watcher.after(LOOK, me=1) for _ in range(30))


def test_who_retired_and_left_runs_is_gone_at_once() -> None:
    """It gave no sign, or took it back."""
    assert Watcher().after(LOOK, me=1, other=None) == {"other"}


def test_time_without_watching_does_not_count() -> None:
    """After a gap, such as a machine that was suspended, everybody has a whole lease again."""
    watcher = Watcher()
    for _ in range(LOOKS_PER_LEASE):
        watcher.after(LOOK, me=1, other=7)
    assert watcher.after(LEASE * 100, me=1, other=7) == set()
    assert watcher.after(LOOK, me=1, other=7) == set()


def test_what_was_seen_can_be_forgotten() -> None:
    """After a store that could not be read, the same."""
    watcher = Watcher()
    for _ in range(LOOKS_PER_LEASE):
        watcher.after(LOOK, me=1, other=7)
    watcher.watch.forget()
    assert watcher.after(LOOK, me=1, other=7) == set()
