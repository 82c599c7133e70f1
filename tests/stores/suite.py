"""What every store does: an implementation inherits :class:`StoreSuite`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import pytest

from app.runs.run import Claim, Outcome, RunRecord, Status
from app.runs.store import Store
from app.runtime.record import StepRecord
from tests.stores.life_cycle import check_life_cycle

T = TypeVar("T")

CALLERS = 8
MANY = 1000
FINISH = Outcome(Status.FINISH, result='{"userAge":18}')
ABORT = Outcome(
    Status.ABORT, error_code=1, error_message="系统错误: login failed", reason="flow_gone"
)
SOURCE = "name: example\n"
TEXTS = {
    "empty": "",
    "nul": "\0 and \0",
    "unicode": "张三 \U0001f41f e\u0301 \u2028 \ufeff \uffff",
    "quotes": '"quoted" \\u0000 \\ %s ? \r\n\r',
    "large": "x" * 2_000_000,
}
TIMES = [0.0, 0.1, 1_700_000_000.1234567, 1_700_000_000.0, 2.0**53 + 2, 5e-324, 1.7e308]


def new(run_id: str, payload: str | None = '{"inputs":{}}', **fields: Any) -> RunRecord:
    """An instance as it is when it is accepted, by owner ``one``."""
    instance = RunRecord(
        run_id,
        "sync_example",
        "v1",
        Status.INIT,
        1_700_000_000.25,
        payload,
        source="digest",
        owner="one",
    )
    return replace(instance, **fields)


def step(path: str, **fields: Any) -> StepRecord:
    """The record of a step that has begun."""
    return replace(StepRecord(path, "login", "http", 1, 2.5), **fields)


def ended(record: StepRecord, value: str = '{"status":200}') -> StepRecord:
    """The same record after the step."""
    return replace(record, ended_at=2.75, outcome="ok", value=value, detail="200 OK")


def begin(store: Store, run_id: str, **fields: Any) -> Claim:
    """Add a run and claim it for its owner; the hold on it."""
    instance = new(run_id, **fields)
    store.add(instance, SOURCE)
    claimed = store.claim(run_id, instance.owner, 2.0)
    assert claimed is not None
    return claimed.claim


def end(store: Store, run_id: str, now: float, **fields: Any) -> None:
    """Add a run and bring it to its end at a time."""
    assert store.complete(run_id, begin(store, run_id, **fields), FINISH, now)


def get(store: Store, run_id: str) -> RunRecord:
    """The instance, which must be there."""
    found = store.get(run_id)
    assert found is not None
    return found


def at_once(function: Callable[[int], T], callers: int = CALLERS) -> list[T]:
    """Call a function from many threads at the same time."""
    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(function, range(callers)))


def others(claim: Claim) -> Sequence[Claim]:
    """Holds on the same run that are not this one."""
    return [
        replace(claim, owner="another"),
        replace(claim, owner=""),
        replace(claim, attempt=claim.attempt - 1),
        replace(claim, attempt=claim.attempt + 1),
        replace(claim, queued=not claim.queued),
        replace(claim, run_id="nobody"),
    ]


class StoreSuite:
    """The tests of the contract; a subclass defines a fixture ``store``, empty for each test."""

    prunes: ClassVar[bool] = True
    """False for a store whose runs expire by themselves."""

    # Adding

    def test_a_run_is_found_as_it_was_added(self, store: Store) -> None:
        """What was added is returned by get, field by field, and has no journal yet."""
        store.add(new("a"), SOURCE)
        assert store.get("a") == new("a")
        assert list(store.records("a")) == []

    def test_an_unknown_id_is_nothing(self, store: Store) -> None:
        """An id that was never added is not found, and nothing can be done with it."""
        claim = Claim("nobody", "one", 1)
        assert store.get("nobody") is None
        assert list(store.records("nobody")) == []
        assert store.claim("nobody", "one", 2.0) is None
        assert not store.record(claim, step("0"))
        assert not store.complete("nobody", None, FINISH, 3.0)
        assert not store.complete("nobody", claim, FINISH, 3.0)
        assert not store.release(claim)
        assert list(store.adopt([claim], "two")) == []
        assert store.get("nobody") is None
        assert store.owners() == {}

    @pytest.mark.parametrize("payload", [None, *TEXTS.values()], ids=["null", *TEXTS])
    def test_a_payload_is_kept_to_the_letter(self, store: Store, payload: str | None) -> None:
        """A store gives back exactly the text it was given, NUL characters included."""
        store.add(new("a", payload), SOURCE)
        assert get(store, "a").payload == payload
        claimed = store.claim("a", "one", 2.0)
        assert claimed is not None
        assert claimed.payload == payload

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    def test_every_text_is_kept_to_the_letter(self, store: Store, text: str) -> None:
        """Sources, results, messages and what the journal says come back as they were given."""
        store.add(new("a", flow_key=text[:100], flow_version=text[:100]), text)
        claimed = store.claim("a", "one", 2.0)
        assert claimed is not None
        record = ended(step("0", name=text[:100], detail=text[:100]), text)
        assert store.record(claimed.claim, record)
        assert store.source("digest") == text
        assert list(store.records("a")) == [record]
        outcome = Outcome(Status.ABORT, text, 1, text, text[:100])
        assert store.complete("a", claimed.claim, outcome, 3.0)
        assert get(store, "a").outcome == outcome
        assert get(store, "a").flow_key == text[:100]

    @pytest.mark.parametrize("time", TIMES)
    def test_times_are_kept_exactly(self, store: Store, time: float) -> None:
        """Not a bit of a time is lost, wherever it is kept."""
        store.add(new("a", created_at=time), SOURCE)
        claimed = store.claim("a", "one", time)
        assert claimed is not None
        record = step("0", started_at=time, ended_at=time)
        store.record(claimed.claim, record)
        assert list(store.records("a")) == [record]
        store.complete("a", claimed.claim, FINISH, time)
        found = get(store, "a")
        assert (found.created_at, found.started_at, found.ended_at) == (time, time, time)
        assert {type(each) for each in (found.created_at, found.started_at, found.ended_at)} == {
            float
        }

    def test_an_id_is_added_once(self, store: Store) -> None:
        """A second instance with the same id is refused, and the first stays."""
        store.add(new("a", "first"), SOURCE)
        with pytest.raises(ValueError, match="exists"):
            store.add(new("a", "second", owner="two"), SOURCE)
        assert store.get("a") == new("a", "first")
        assert set(store.owners()) == {"one"}

    def test_the_sources_of_many_runs_are_kept(self, store: Store) -> None:
        """Runs of several texts find theirs; a name nobody gave is nothing."""
        store.add(new("a", source="1"), "first")
        store.add(new("b", source="2"), "second")
        store.add(new("c", source="1"), "first")
        assert [store.source(digest) for digest in "123"] == ["first", "second", None]

    # Claiming

    def test_a_claim_starts_the_run(self, store: Store) -> None:
        """The claimer gets the run with its payload, and everybody sees it RUNNING."""
        store.add(new("a"), SOURCE)
        claimed = store.claim("a", "two", 2.5)
        assert claimed == replace(
            new("a"), status=Status.RUNNING, owner="two", queued=False, attempt=1, started_at=2.5
        )
        assert store.get("a") == claimed

    def test_a_run_is_claimed_once(self, store: Store) -> None:
        """A second claim gets nothing and changes nothing."""
        begin(store, "a")
        before = store.get("a")
        assert store.claim("a", "one", 3.0) is None
        assert store.claim("a", "two", 3.0) is None
        assert store.get("a") == before

    # The journal

    def test_a_journal_is_kept_in_the_order_of_the_steps(self, store: Store) -> None:
        """Steps stand in the order in which they began; an end takes its beginning's place."""
        claim = begin(store, "a")
        paths = ["2/else/0", "10", "1", "a b:c\0"]
        for path in paths:
            assert store.record(claim, step(path))
        assert store.record(claim, ended(step("1")))
        expected = [step(path) if path != "1" else ended(step("1")) for path in paths]
        assert list(store.records("a")) == expected

    @pytest.mark.parametrize("last", [1, 2, 9])
    def test_the_end_of_a_journal_is_read_without_values(self, store: Store, last: int) -> None:
        """What people look at is bounded, however long the journal is and whatever it holds."""
        claim = begin(store, "a")
        kept = [ended(step(f"{number}")) for number in range(3)]
        for record in kept:
            assert store.record(claim, record)
        wanted = [replace(record, value=None) for record in kept[-last:]]
        assert list(store.records("a", last)) == wanted

    def test_a_step_that_begins_again_is_written_anew(self, store: Store) -> None:
        """Nothing of the former record stays: what had ended is open again."""
        claim = begin(store, "a")
        store.record(claim, ended(step("0")))
        again = StepRecord("0", "other", "sql", 2, 9.5)
        assert store.record(claim, again)
        assert list(store.records("a")) == [again]

    def test_journals_do_not_mix(self, store: Store) -> None:
        """Each run has its own."""
        for run_id in "ab":
            claim = begin(store, run_id)
            store.record(claim, step("0", name=run_id))
        assert list(store.records("a")) == [step("0", name="a")]
        assert list(store.records("b")) == [step("0", name="b")]

    def test_only_who_has_the_run_records(self, store: Store) -> None:
        """A record under a hold that is not exactly the run's is not kept."""
        claim = begin(store, "a")
        store.record(claim, step("0"))
        for other in others(claim):
            assert not store.record(other, ended(step("0")))
            assert not store.record(other, step("1"))
        assert list(store.records("a")) == [step("0")]

    def test_only_a_running_run_is_recorded(self, store: Store) -> None:
        """There is nothing to record before the claim and after the end."""
        store.add(new("a"), SOURCE)
        assert not store.record(new("a").claim, step("0"))
        claimed = store.claim("a", "one", 2.0)
        assert claimed is not None
        store.complete("a", claimed.claim, FINISH, 3.0)
        assert not store.record(claimed.claim, step("0"))
        assert not store.record(get(store, "a").claim, step("0"))
        assert list(store.records("a")) == []

    # Ending

    @pytest.mark.parametrize("outcome", [FINISH, ABORT], ids=["FINISH", "ABORT"])
    def test_an_ended_run_keeps_its_outcome_and_its_payload(
        self, store: Store, outcome: Outcome
    ) -> None:
        """Completing stores the outcome and its time; what the run began with stays."""
        claim = begin(store, "a")
        before = get(store, "a")
        assert store.complete("a", claim, outcome, 3.5)
        assert store.get("a") == replace(
            before, status=outcome.status, owner="", queued=False, ended_at=3.5, outcome=outcome
        )
        assert store.owners() == {}

    def test_an_ended_run_drops_what_its_steps_got(self, store: Store) -> None:
        """The journal still says what happened when, but not with which result."""
        claim = begin(store, "a")
        records = [ended(step("0")), step("1")]
        for record in records:
            store.record(claim, record)
        assert store.complete("a", claim, ABORT, 3.0)
        assert list(store.records("a")) == [replace(each, value=None) for each in records]

    def test_an_end_under_another_hold_is_refused(self, store: Store) -> None:
        """Who lost the run cannot end it, and changes nothing."""
        claim = begin(store, "a")
        store.record(claim, ended(step("0")))
        before = store.get("a")
        for other in others(claim):
            assert not store.complete("a", other, FINISH, 3.0, new("then"), SOURCE)
        assert store.get("a") == before
        assert store.get("then") is None
        assert list(store.records("a")) == [ended(step("0"))]

    def test_whoever_has_it_a_run_can_be_ended(self, store: Store) -> None:
        """Without a hold any run ends that has not ended: queued, or under way."""
        store.add(new("queued"), SOURCE)
        claim = begin(store, "running")
        for run_id in ("queued", "running"):
            assert store.complete(run_id, None, ABORT, 3.0)
            assert get(store, run_id).outcome == ABORT
        assert get(store, "queued").started_at is None
        assert store.claim("queued", "one", 4.0) is None
        assert not store.complete("running", claim, FINISH, 4.0)

    def test_a_queued_run_is_ended_under_its_hold(self, store: Store) -> None:
        """A run can end before its first claim, by who sees it as it is."""
        store.add(new("a"), SOURCE)
        assert not store.complete("a", replace(new("a").claim, queued=False), ABORT, 3.0)
        assert store.complete("a", new("a").claim, ABORT, 3.0)

    def test_an_end_is_final(self, store: Store) -> None:
        """Nothing that can be called changes an ended run."""
        claim = begin(store, "a")
        store.record(claim, ended(step("0")))
        store.complete("a", claim, FINISH, 3.0)
        before, records = get(store, "a"), store.records("a")
        for each in (claim, before.claim):
            assert not store.complete("a", each, ABORT, 5.0, new("then"), SOURCE)
            assert not store.record(each, step("1"))
            assert not store.release(each)
            assert list(store.adopt([each], "two")) == []
        assert store.claim("a", "one", 4.0) is None
        assert not store.complete("a", None, ABORT, 5.0, new("then"), SOURCE)
        assert store.get("a") == before
        assert store.records("a") == records
        assert store.get("then") is None

    def test_an_end_begets_another_run(self, store: Store) -> None:
        """The run that follows is queued in the same step, with its own source."""
        claim = begin(store, "a")
        then = new("then", "url", flow_key="callback", source="other")
        assert store.complete("a", claim, FINISH, 3.0, then, "other text")
        assert store.get("then") == then
        assert store.source("other") == "other text"
        assert store.claim("then", "one", 4.0) is not None

    def test_a_run_that_follows_is_not_added_twice(self, store: Store) -> None:
        """If the run that should follow exists, it stays as it is, and the end happens."""
        then = begin(store, "then")
        before = store.get("then")
        claim = begin(store, "a")
        assert store.complete("a", claim, FINISH, 3.0, new("then", "other"), SOURCE)
        assert get(store, "a").outcome == FINISH
        assert store.get("then") == before
        assert store.record(then, step("0"))

    # Giving back

    def test_a_released_run_is_anybodys(self, store: Store) -> None:
        """It is queued, owned by nobody, still RUNNING, and keeps its journal and its start."""
        claim = begin(store, "a")
        store.record(claim, ended(step("0")))
        before = get(store, "a")
        assert store.release(claim)
        assert store.get("a") == replace(before, owner="", queued=True)
        assert store.owners() == {"": None}
        assert not store.record(claim, step("1"))
        claimed = store.claim("a", "two", 9.0)
        assert claimed == replace(before, owner="two", attempt=2)
        assert list(store.records("a")) == [ended(step("0"))]

    def test_a_run_is_released_to_an_owner(self, store: Store) -> None:
        """It is then that one's, queued, and nobody else's."""
        claim = begin(store, "a")
        before = get(store, "a")
        assert store.release(claim, "until/1700000000")
        assert store.get("a") == replace(before, owner="until/1700000000", queued=True)
        assert store.owners() == {"until/1700000000": None}

    def test_a_queued_run_is_released(self, store: Store) -> None:
        """Who goes down gives back what waits in its queue, too."""
        store.add(new("a"), SOURCE)
        assert store.release(new("a").claim)
        assert store.get("a") == new("a", owner="")

    def test_only_who_has_the_run_releases_it(self, store: Store) -> None:
        """A release under a hold that is not exactly the run's changes nothing."""
        claim = begin(store, "a")
        before = store.get("a")
        assert not any(store.release(other) for other in others(claim))
        assert store.get("a") == before

    # Finding

    def test_runs_are_found_the_newest_first(self, store: Store) -> None:
        """However they were added; each without its payload, and no more than asked for."""
        for number in (3, 1, 4, 2, 5):
            store.add(new(f"run {number}", created_at=float(number)), SOURCE)
        found = store.find(limit=4)
        assert list(found) == [new(f"run {n}", None, created_at=float(n)) for n in (5, 4, 3, 2)]

    def test_runs_are_found_by_status_and_flow(self, store: Store) -> None:
        """Each filter works alone and with the other, for every status."""
        numbers = itertools.count()
        for key in "xy":
            for status in Status:
                run_id = f"{key} {status}"
                store.add(new(run_id, flow_key=key, created_at=float(next(numbers))), SOURCE)
                if status is not Status.INIT:
                    store.claim(run_id, "one", 2.0)
                if status.is_terminal:
                    store.complete(run_id, None, Outcome(status), 3.0)

        def ids(**filters: Any) -> list[str]:
            return [each.id for each in store.find(limit=MANY, **filters)]

        assert ids() == [f"{key} {status}" for key in "yx" for status in reversed(Status)]
        for status in Status:
            assert ids(status=status) == [f"y {status}", f"x {status}"]
            assert ids(status=status, flow_key="x") == [f"x {status}"]
        assert ids(flow_key="x") == [f"x {status}" for status in reversed(Status)]
        assert ids(flow_key="z") == []

    def test_what_is_found_is_whole_but_for_the_payload(self, store: Store) -> None:
        """An ended run is listed with all that get says of it."""
        end(store, "a", 3.0)
        assert list(store.find(limit=1)) == [replace(get(store, "a"), payload=None)]

    # Those who execute

    def test_owners_are_known_by_their_beats_and_their_runs(self, store: Store) -> None:
        """The last sign of life of each, or None of one that gave none; nobody else."""
        assert store.owners() == {}
        store.beat("one", 1)
        store.beat("two", 7)
        store.beat("one", 2)
        store.add(new("a", owner="one"), SOURCE)
        store.add(new("b", owner="silent"), SOURCE)
        store.add(new("c", owner=""), SOURCE)
        end(store, "d", 3.0, owner="gone")
        assert store.owners() == {"one": 2, "two": 7, "silent": None, "": None}

    def test_who_retires_is_forgotten_but_its_runs_are_not(self, store: Store) -> None:
        """An owner without a run is gone; one with runs has no sign of life any more."""
        store.beat("one", 1)
        store.beat("two", 1)
        store.add(new("a", owner="two"), SOURCE)
        store.retire("one")
        store.retire("two")
        store.retire("nobody")
        assert store.owners() == {"two": None}
        store.beat("two", 2)
        assert store.owners() == {"two": 2}

    def test_the_runs_of_owners_are_found_the_oldest_first(self, store: Store) -> None:
        """Runs that have not ended, queued or not, of these owners only, up to the limit."""
        claims = {}
        for number, owner in enumerate(["one", "two", "", "one", "three", "one"]):
            instance = new(f"run {number}", owner=owner, created_at=float(10 - number))
            store.add(instance, SOURCE)
            claims[number] = instance.claim
        claimed = store.claim("run 3", "one", 2.0)
        assert claimed is not None
        claims[3] = claimed.claim
        store.complete("run 5", None, FINISH, 3.0)
        assert list(store.held(["one", ""], MANY)) == [claims[3], claims[2], claims[0]]
        assert list(store.held({"one", "two"}, 2)) == [claims[3], claims[1]]
        assert list(store.held(["nobody"], MANY)) == []
        assert list(store.held([], MANY)) == []

    def test_a_queued_run_is_adopted_without_a_crash(self, store: Store) -> None:
        """It only waits for another owner now."""
        store.add(new("a"), SOURCE)
        assert list(store.adopt([new("a").claim], "two")) == ["a"]
        assert store.get("a") == new("a", owner="two")
        assert list(store.held(["two"], MANY)) == [new("a", owner="two").claim]
        assert list(store.held(["one"], MANY)) == []

    def test_a_run_that_lost_its_owner_in_the_middle_has_crashed(self, store: Store) -> None:
        """It is queued again, still RUNNING, with its journal; each such loss is counted."""
        claim = begin(store, "a")
        store.record(claim, step("0"))
        before = get(store, "a")
        assert list(store.adopt([claim], "two")) == ["a"]
        assert store.get("a") == replace(before, owner="two", queued=True, crashes=1)
        again = store.claim("a", "two", 9.0)
        assert again == replace(before, owner="two", attempt=2, crashes=1)
        assert list(store.adopt([again.claim], "three")) == ["a"]
        assert get(store, "a").crashes == 2
        assert list(store.records("a")) == [step("0")]

    def test_a_run_that_moved_is_not_adopted(self, store: Store) -> None:
        """Of the holds that are handed in, those that are not the runs' do nothing."""
        stale = begin(store, "moved")
        store.release(stale)
        claim = begin(store, "a")
        before = store.get("moved")
        claims = [*others(claim)[:-1], stale, claim, Claim("nobody", "one", 1)]
        assert list(store.adopt(claims, "two")) == ["a"]
        assert store.get("moved") == before
        assert list(store.adopt([], "two")) == []

    def test_who_lost_a_run_can_do_nothing_with_it(self, store: Store) -> None:
        """A process that was taken for gone and comes back late changes nothing."""
        late = begin(store, "a")
        store.record(late, step("0"))
        store.adopt([late], "two")
        for _ in range(2):
            before, records = store.get("a"), store.records("a")
            assert not store.record(late, ended(step("0")))
            assert not store.complete("a", late, FINISH, 3.0)
            assert not store.release(late)
            assert list(store.adopt([late], "one")) == []
            assert (store.get("a"), store.records("a")) == (before, records)
            store.claim("a", "two", 4.0)

    def test_many_runs_are_adopted_at_a_time(self, store: Store) -> None:
        """The number of runs, or of owners, has no limit of the implementation's own."""
        for number in range(MANY):
            store.add(new(f"run {number}", owner=f"owner {number}"), SOURCE)
        assert len(store.owners()) == MANY
        claims = store.held(store.owners().keys(), 10 * MANY)
        assert len(store.adopt(claims, "two")) == MANY
        assert store.owners() == {"two": None}

    # Upkeep

    def test_old_runs_are_pruned_the_oldest_first(self, store: Store) -> None:
        """Runs that ended before the time are dropped with their journals, and no others."""
        if not self.prunes:
            return
        for number in (3, 1, 4, 2, 5):
            claim = begin(store, f"run {number}")
            store.record(claim, step("0"))
            store.complete(f"run {number}", claim, FINISH, float(number))
        store.add(new("queued", created_at=0.0), SOURCE)
        begin(store, "running", created_at=0.0)
        assert store.prune(4.0, MANY, 2) == 2
        assert [store.get(f"run {number}") is None for number in (1, 2, 3, 4, 5)] == [
            *[True] * 2,
            *[False] * 3,
        ]
        assert list(store.records("run 1")) == []
        assert list(store.records("run 3")) == [step("0")]
        assert store.prune(4.0, MANY, 2) == 1
        assert store.prune(4.0, MANY, 2) == 0
        assert {each.id for each in store.find(limit=MANY)} == {
            *("run 4", "run 5", "queued", "running")
        }

    def test_runs_beyond_a_count_are_pruned(self, store: Store) -> None:
        """However young, of the ended runs only the newest few stay."""
        if not self.prunes:
            return
        for number in range(5):
            end(store, f"run {number}", 10.0 + number)
        store.add(new("queued"), SOURCE)
        assert store.prune(0.0, 2, MANY) == 3
        assert store.prune(0.0, 2, MANY) == 0
        assert {each.id for each in store.find(limit=MANY)} == {"run 3", "run 4", "queued"}
        assert store.prune(0.0, 0, MANY) == 2
        assert [each.id for each in store.find(limit=MANY)] == ["queued"]

    def test_a_run_that_goes_on_keeps_its_source(self, store: Store) -> None:
        """Pruning drops no text that a run still needs."""
        end(store, "ended", 3.0)
        begin(store, "running", source="other")
        store.prune(MANY, 0, MANY)
        assert store.source("other") == SOURCE

    # All of it, at random and at once

    def test_every_history_agrees_with_the_model(self, store: Store) -> None:
        """Random histories get the model's answers, with no illegal move and no changed end."""
        check_life_cycle(store, prunes=self.prunes)

    def test_one_of_many_claimers_gets_a_run(self, store: Store) -> None:
        """However many claim the same runs at once, each run has exactly one claimer."""
        ids = [f"run {number}" for number in range(10)]
        for run_id in ids:
            store.add(new(run_id), SOURCE)
        claimed = at_once(lambda n: [i for i in ids if store.claim(i, f"owner {n}", 2.0)])
        assert sorted(itertools.chain(*claimed)) == ids
        for number, mine in enumerate(claimed):
            assert all(get(store, each).owner == f"owner {number}" for each in mine)

    def test_one_of_many_adders_of_an_id_succeeds(self, store: Store) -> None:
        """Of all who add the same id at once, one succeeds, and it is that one's run."""

        def add(caller: int) -> int | None:
            with suppress(ValueError):
                store.add(new("a", str(caller)), SOURCE)
                return caller
            return None

        [winner] = [caller for caller in at_once(add) if caller is not None]
        assert store.get("a") == new("a", str(winner))

    @pytest.mark.parametrize("with_hold", [True, False])
    def test_one_of_many_completers_ends_a_run(self, store: Store, with_hold: bool) -> None:
        """Of all who complete a run at once, one is told so; it is that one's outcome and child."""
        claim = begin(store, "a") if with_hold else None
        if claim is None:
            store.add(new("a"), SOURCE)
        outcomes = [Outcome(Status.FINISH, result=str(caller)) for caller in range(CALLERS)]

        def complete(caller: int) -> bool:
            then = new(f"then {caller}")
            return store.complete("a", claim, outcomes[caller], 3.0, then, SOURCE)

        happened = at_once(complete)
        assert happened.count(True) == 1
        winner = happened.index(True)
        assert get(store, "a").outcome == outcomes[winner]
        born = [store.get(f"then {caller}") is not None for caller in range(CALLERS)]
        assert born == happened

    def test_one_of_many_adopters_gets_a_run(self, store: Store) -> None:
        """However many take over the same runs at once, each run is one's, and crashed once."""
        ids = [f"run {number}" for number in range(10)]
        claims = [begin(store, run_id) for run_id in ids]
        adopted = at_once(lambda number: store.adopt(claims, f"owner {number}"))
        assert sorted(itertools.chain(*adopted)) == ids
        for number, mine in enumerate(adopted):
            assert all(get(store, each).owner == f"owner {number}" for each in mine)
        assert {get(store, each).crashes for each in ids} == {1}

    def test_an_end_and_a_takeover_exclude_each_other(self, store: Store) -> None:
        """A run is ended by its owner or taken from it, whoever comes first."""
        for number in range(10):
            claim = begin(store, f"run {number}")

            def move(caller: int, claim: Claim = claim) -> bool:
                if caller % 2:
                    return bool(store.adopt([claim], "two"))
                return store.complete(claim.run_id, claim, FINISH, 3.0)

            happened = at_once(move)
            assert happened.count(True) == 1
            found = get(store, claim.run_id)
            assert found.status.is_terminal is (happened.index(True) % 2 == 0)
            assert found.crashes == happened.index(True) % 2

    def test_many_may_record_at_once(self, store: Store) -> None:
        """Steps of many runs, and many steps of one, are all kept, and none twice."""
        common = begin(store, "common")

        def journal(caller: int) -> bool:
            own = begin(store, f"run {caller}")
            return all(
                store.record(claim, record)
                for number in range(10)
                for claim in (own, common)
                for begun in [step(f"{caller}/{number}")]
                for record in (begun, ended(begun, f"{caller}/{number}"))
            )

        assert all(at_once(journal))
        expected = {
            ended(step(f"{caller}/{number}"), f"{caller}/{number}")
            for caller in range(CALLERS)
            for number in range(10)
        }
        assert len(store.records("common")) == len(expected)
        assert set(store.records("common")) == expected
        for caller in range(CALLERS):
            paths = [each.path for each in store.records(f"run {caller}")]
            assert paths == [f"{caller}/{number}" for number in range(10)]

    def test_no_record_comes_after_the_end(self, store: Store) -> None:
        """While the run is ended, a record is kept before it or refused; no value stays behind."""
        claim = begin(store, "a")

        def move(caller: int) -> list[str]:
            if caller == CALLERS - 1:
                store.complete("a", claim, FINISH, 3.0)
            records = [ended(step(f"{caller}/{number}")) for number in range(10)]
            return [each.path for each in records if store.record(claim, each)]

        kept = list(itertools.chain(*at_once(move)))
        found = store.records("a")
        assert sorted(each.path for each in found) == sorted(kept)
        assert all(each.value is None for each in found)

    def test_many_may_prune_at_once(self, store: Store) -> None:
        """Together they drop what had to go, and not one run more."""
        if not self.prunes:
            return
        for number in range(30):
            end(store, f"run {number}", float(number))
        assert sum(at_once(lambda _: store.prune(0.0, 10, 4))) == 20
        assert {each.id for each in store.find(limit=MANY)} == {f"run {n}" for n in range(20, 30)}

    def test_nothing_is_lost_between_many_callers(self, store: Store) -> None:
        """Runs of many callers at once live through their whole lives without mixing."""

        def live(caller: int) -> None:
            store.beat(f"owner {caller}", caller)
            for number in range(10):
                run_id = f"{caller}/{number}"
                store.add(new(run_id, run_id), SOURCE)
                claimed = store.claim(run_id, f"owner {caller}", 2.0)
                assert claimed is not None
                assert claimed.payload == run_id
                assert store.record(claimed.claim, step("0", name=run_id))
                outcome = Outcome(Status.FINISH, run_id)
                assert store.complete(run_id, claimed.claim, outcome, 3.0)

        at_once(live)
        for caller in range(CALLERS):
            for number in range(10):
                run_id = f"{caller}/{number}"
                assert get(store, run_id).outcome == Outcome(Status.FINISH, run_id)
                assert [each.name for each in store.records(run_id)] == [run_id]
        assert store.owners() == {f"owner {caller}": caller for caller in range(CALLERS)}
