"""A disk without room: callers are told to come back, and come back to the same processes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from tests.blackbox.client import Answer, eventually
from tests.chaos.disk import filled, no_file_grows, small_disk
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.judge import ended, judge
from tests.chaos.load import BUSY, Load
from tests.chaos.sink import Sink

LARGE = "x" * 100_000
"""An input for which the store's file has to grow."""


def carry_on_without_room(
    servers: Fleet, sink: Sink, without_room: AbstractContextManager[None]
) -> None:
    """Runs are refused while there is no room, and nothing of them is carried out."""
    client, workers = servers.client, servers.workers()

    def trigger(tag: str) -> Answer:
        return client.trigger("quick", sink=sink.url, tag=tag)

    before = trigger("before").run_id
    old = ended(client, before, 60)
    with without_room:
        refused = eventually(lambda: trigger(f"full{LARGE}"), lambda answer: answer.status != 200)
        assert refused.outcome == BUSY
        assert refused.headers["retry-after"] == "1"
        assert refused.envelope["result"] is None
        effects = len(sink.effects)
        assert trigger(f"full{LARGE}").outcome == BUSY
        assert client.poll(before).body == old.body
        assert client.trigger("echo", text="a").data["text"] == "a"
    again = eventually(lambda: trigger(f"again{LARGE}"), lambda answer: answer.outcome != BUSY)
    ended(client, again.run_id, 60)
    late = [effect.body["tag"][:5] for effect in sink.effects[effects:]]
    assert late == ["again"]
    assert servers.workers() == workers


def test_no_file_can_grow(tmp_path: Path) -> None:
    """What fits is accepted; what does not is refused with 503, and the store heals by itself."""
    with Sink(0) as sink, fleet(tmp_path, workers=2, LEASE="2s") as servers:
        size = servers.server.database.stat().st_size
        carry_on_without_room(servers, sink, no_file_grows(servers.workers(), size))


def test_a_disk_fills_under_load(tmp_path: Path) -> None:
    """A full disk in the middle of everything loses nothing and doubles nothing."""
    with Sink() as sink, fleet(tmp_path, LEASE="2s") as servers:
        with Load(servers.port, sink.url, ("straight", "again", "called")) as load:
            eventually(lambda: len(load.book.accepted), lambda count: count > 20)
            with no_file_grows(servers.workers(), servers.server.database.stat().st_size):
                eventually(lambda: len(load.book.refused), lambda count: count > 20)
            known = len(load.book.accepted)
            eventually(lambda: len(load.book.accepted), lambda count: count > known + 20)
            book = load.stop()
        verdict = judge(servers.client, book, sink, seconds=60)
    assert not verdict.diagnostics


def test_a_small_disk(tmp_path: Path) -> None:
    """The same on a disk that is really full, where one may be mounted."""
    with small_disk(tmp_path / "disk", "2m") as is_permitted:
        if not is_permitted:
            return
        store = f"file:{tmp_path / 'disk' / 'runs.db'}"
        with Sink(0) as sink, fleet(tmp_path, STORE=store, LEASE="2s") as servers:
            carry_on_without_room(servers, sink, filled(tmp_path / "disk"))
