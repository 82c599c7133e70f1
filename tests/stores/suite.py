"""What every store does: an implementation inherits :class:`StoreSuite`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import pytest

from app.instance import Instance, Outcome, Status
from app.store import Store
from tests.stores.life_cycle import check_life_cycle

T = TypeVar("T")

CALLERS = 8
FINISH = Outcome(Status.FINISH, result='{"userAge":18}')
ABORT = Outcome(Status.ABORT, error_code=1, error_message="系统错误: login failed")


def new(instance_id: str, payload: str | None = '{"inputs":{}}') -> Instance:
    """An instance as it is when it is accepted."""
    return Instance(instance_id, "sync_example", "v1", Status.INIT, 1_700_000_000.25, payload)


def at_once(function: Callable[[int], T], callers: int = CALLERS) -> list[T]:
    """Call a function from many threads at the same time."""
    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(function, range(callers)))


class StoreSuite:
    """The tests of the contract; a subclass defines a fixture ``store``, made new for each test."""

    def test_a_run_is_found_as_it_was_added(self, store: Store) -> None:
        """What was added is returned by get, field by field."""
        store.add(new("a"))
        assert store.get("a") == new("a")

    def test_an_unknown_id_is_nothing(self, store: Store) -> None:
        """An id that was never added is neither found nor claimed nor completed."""
        assert store.get("nobody") is None
        assert store.claim("nobody", 2.0) is None
        assert not store.complete("nobody", FINISH, 3.0)

    @pytest.mark.parametrize(
        "payload",
        [
            None,
            "",
            "\0 and \0",
            "张三 \U0001f41f e\u0301 \u2028 \ufeff \uffff",
            '"quoted" \\u0000 \\ %s ?',
            "x" * 2_000_000,
        ],
        ids=["null", "empty", "nul", "unicode", "quotes", "large"],
    )
    def test_a_payload_is_kept_to_the_letter(self, store: Store, payload: str | None) -> None:
        """A store gives back exactly the text it was given, NUL characters included."""
        store.add(new("a", payload))
        found = store.get("a")
        assert found is not None
        assert found.payload == payload

    def test_an_id_is_added_once(self, store: Store) -> None:
        """A second instance with the same id is refused, and the first stays."""
        store.add(new("a", "first"))
        with pytest.raises(ValueError, match="exists"):
            store.add(new("a", "second"))
        assert store.get("a") == new("a", "first")

    def test_a_claim_starts_the_run(self, store: Store) -> None:
        """The claimer gets the run with its payload, and everybody sees it RUNNING."""
        store.add(new("a"))
        claimed = store.claim("a", 2.5)
        assert claimed is not None
        assert (claimed.status, claimed.started_at) == (Status.RUNNING, 2.5)
        assert claimed.payload == new("a").payload
        assert store.get("a") == claimed

    def test_a_run_is_claimed_once(self, store: Store) -> None:
        """A second claim gets nothing and changes nothing."""
        store.add(new("a"))
        claimed = store.claim("a", 2.0)
        assert store.claim("a", 3.0) is None
        assert store.get("a") == claimed

    @pytest.mark.parametrize("outcome", [FINISH, ABORT], ids=["FINISH", "ABORT"])
    def test_an_ended_run_keeps_its_outcome_and_drops_its_payload(
        self, store: Store, outcome: Outcome
    ) -> None:
        """Completing stores the outcome and its time, and forgets what only the run needed."""
        store.add(new("a"))
        store.claim("a", 2.0)
        assert store.complete("a", outcome, 3.5)
        ended = store.get("a")
        assert ended is not None
        assert (ended.status, ended.outcome) == (outcome.status, outcome)
        assert (ended.started_at, ended.ended_at, ended.payload) == (2.0, 3.5, None)

    def test_a_run_that_did_not_start_cannot_end(self, store: Store) -> None:
        """There is no way from INIT to an end but through RUNNING."""
        store.add(new("a"))
        assert not store.complete("a", FINISH, 3.0)
        assert store.get("a") == new("a")

    def test_an_end_is_final(self, store: Store) -> None:
        """An ended run is not claimed again, not completed again, and reads the same."""
        store.add(new("a"))
        store.claim("a", 2.0)
        store.complete("a", FINISH, 3.0)
        ended = store.get("a")
        assert store.claim("a", 4.0) is None
        assert not store.complete("a", ABORT, 5.0)
        assert store.get("a") == ended

    def test_every_history_agrees_with_the_model(self, store: Store) -> None:
        """Random histories get the model's answers, with no illegal move and no changed end."""
        check_life_cycle(store)

    def test_one_of_many_claimers_gets_a_run(self, store: Store) -> None:
        """However many claim the same runs at once, each run has exactly one claimer."""
        ids = [f"run {number}" for number in range(10)]
        for instance_id in ids:
            store.add(new(instance_id))
        claimed = at_once(lambda _: [i for i in ids if store.claim(i, 2.0)])
        assert sorted(itertools.chain(*claimed)) == ids

    def test_one_of_many_adders_of_an_id_succeeds(self, store: Store) -> None:
        """Of all who add the same id at once, one succeeds, and it is that one's run."""

        def add(caller: int) -> int | None:
            with suppress(ValueError):
                store.add(new("a", str(caller)))
                return caller
            return None

        [winner] = [caller for caller in at_once(add) if caller is not None]
        assert store.get("a") == new("a", str(winner))

    def test_one_of_many_completers_ends_a_run(self, store: Store) -> None:
        """Of all who complete a run at once, one is told so, and it is that one's outcome."""
        store.add(new("a"))
        store.claim("a", 2.0)
        outcomes = [Outcome(Status.FINISH, result=str(caller)) for caller in range(CALLERS)]
        happened = at_once(lambda caller: store.complete("a", outcomes[caller], 3.0))
        ended = store.get("a")
        assert ended is not None
        assert ended.outcome == outcomes[happened.index(True)]
        assert happened.count(True) == 1

    def test_nothing_is_lost_between_many_callers(self, store: Store) -> None:
        """Runs of many callers at once live through their whole lives without mixing."""

        def live(caller: int) -> None:
            for number in range(10):
                instance_id = f"{caller}/{number}"
                store.add(new(instance_id, instance_id))
                claimed = store.claim(instance_id, 2.0)
                assert claimed is not None
                assert claimed.payload == instance_id
                assert store.complete(instance_id, Outcome(Status.FINISH, instance_id), 3.0)

        at_once(live)
        for caller in range(CALLERS):
            for number in range(10):
                ended = store.get(f"{caller}/{number}")
                assert ended is not None
                assert ended.outcome == Outcome(Status.FINISH, f"{caller}/{number}")
