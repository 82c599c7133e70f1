"""A run that kills its process: it is given up, and takes nobody with it."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.fleet import fleet
from tests.chaos.judge import ended, judge, word
from tests.chaos.load import Load
from tests.chaos.sink import Sink

FLOWS = ("straight", "again", "called")
DEATHS = 3


def test_a_run_that_kills_its_process(tmp_path: Path) -> None:
    """It ends ``crashed`` after three deaths; innocents beside it finish or are interrupted."""
    with Sink() as sink, fleet(tmp_path, LEASE="1s") as servers:
        with Load(servers.port, sink.url, FLOWS) as load:
            client = servers.client
            poison = client.trigger("poison", sink=sink.url, tag="poison").run_id
            answer = ended(client, poison, 60)
            book = load.stop()
        verdict = judge(servers.client, book, sink, seconds=40, expected=("FINISH", "interrupted"))
        assert (word(answer), answer.envelope["errorCode"]) == ("crashed", 2000061009)
        assert servers.log.count("was sent SIGKILL") == DEATHS
        assert not sink.of(poison)
    assert not verdict.diagnostics
    assert verdict.ends["FINISH"] > verdict.accepted / 2
