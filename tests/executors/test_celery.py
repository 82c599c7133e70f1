"""The Celery executor, with real workers and a real Redis between them."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.errors import Busy
from app.runs.executor import Lane
from app.runs.executors.celery import CeleryExecutor, make_celery
from app.runs.executors.celery_broker import CONNECTIONS, LAST, QUEUE
from tests.blackbox.client import eventually
from tests.redis_server import RedisServer, redis_server

PROJECT = Path(__file__).parents[2]
LANE = Lane("flow/v1", 100)
WAITING = f"{QUEUE}\x06\x16{LAST}"
"""Where Redis has the messages of runs that have not begun."""
START_SECONDS = 60
PROMPT = 2.0
ALONE = ("--without-mingle", "--without-gossip")
"""Spares a worker the seconds in which it looks for others."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A broker for all tests that do it no harm."""
    with redis_server(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture
def broker(shared: RedisServer) -> RedisServer:
    """The same, empty."""
    with shared.client() as client:
        client.flushall()
    return shared


@contextmanager
def sending(url: str, queue_size: int = 100) -> Iterator[CeleryExecutor]:
    """An executor of a process that executes nothing itself."""
    celery = make_celery(url, _never, _never_starts, _never_starts, check=_never_starts)
    executor = CeleryExecutor(celery, queue_size=queue_size)
    try:
        yield executor
    finally:
        assert executor.close(0)
        assert executor.close(0)
        celery.close()


def _never(run_id: str) -> None:
    raise AssertionError(run_id)


def _never_starts() -> None:
    raise AssertionError


def submit(executor: CeleryExecutor, *instance_ids: str) -> None:
    """What a service does with runs that it has stored."""
    for run_id in instance_ids:
        executor.reserve()
        executor.submit(run_id, LANE)


def waiting(broker: RedisServer) -> list[str]:
    """The messages that wait in the broker, as they are."""
    with broker.client() as client:
        found: list[str] = client.lrange(WAITING, 0, -1)
        return found[::-1]


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


class Worker:
    """A running ``celery worker``; ``diary`` is what happened to its processes."""

    def __init__(self, folder: Path, url: str, *options: str, **settings: str) -> None:
        self._diary = folder / "diary"
        self._diary.touch()
        self._log = folder / "worker.log"
        environment = {"BROKER": url, "DIARY": str(self._diary), **settings}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.executors.celery_application.celery",
                 "worker", "--loglevel", "info", *ALONE, *options],
                cwd=PROJECT, env={**os.environ, **environment}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """All that it wrote."""
        return self._log.read_text()

    @property
    def diary(self) -> list[list[str]]:
        """The process, the word and the id of each line."""
        return [line.split(" ") for line in self._diary.read_text().splitlines()]

    def ids(self, word: str) -> list[str]:
        """The ids this happened to, in order."""
        return [line[2] for line in self.diary if line[1] == word]

    def processes(self, word: str) -> list[int]:
        """The processes this happened to, in order."""
        return [int(line[0]) for line in self.diary if line[1] == word]

    def wait_for(self, word: str, count: int = 1) -> None:
        """Return once this has happened so often."""
        eventually(lambda: self._count(word), lambda found: found >= count, START_SECONDS)

    def _count(self, word: str) -> int:
        assert self.process.poll() is None, self.log
        return len(self.processes(word))

    def go_on(self) -> None:
        """End the runs that wait."""
        self._diary.with_suffix(".go").touch()

    def kill(self) -> None:
        """End it with all its processes, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to go down; its exit status."""
        self.process.terminate()
        return self.process.wait(START_SECONDS)


@contextmanager
def working(folder: Path, url: str, *options: str, **settings: str) -> Iterator[Worker]:
    """A worker; whatever is left of it at the end is killed."""
    worker = Worker(folder, url, *options, **settings)
    try:
        yield worker
    finally:
        worker.kill()


# What is sent


def test_a_message_is_the_id_and_nothing_else(broker: RedisServer) -> None:
    """It is JSON, in a queue of our own, for the task that workers know."""
    with sending(broker.url) as executor:
        submit(executor, "async_1")
    [message] = map(json.loads, waiting(broker))
    assert message["content-type"] == "application/json"
    assert message["headers"]["task"] == "siteswap.execute"
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    assert (arguments, keywords) == (["async_1"], {})


def test_what_has_begun_before_goes_first(broker: RedisServer, tmp_path: Path) -> None:
    """A run that was taken over is not kept waiting by those that have not begun."""
    with sending(broker.url) as executor:
        submit(executor, "a", "b", "c")
        executor.reserve()
        executor.submit("begun", LANE, first=True)
        with working(tmp_path, broker.url, "--pool", "solo") as worker:
            begun = eventually(lambda: worker.ids("begin"), lambda ids: len(ids) == 4)
    assert begun == ["begun", "a", "b", "c"]


def test_a_full_queue_refuses_and_takes_again(broker: RedisServer) -> None:
    """As many as the queue size wait in the broker, whoever sent them; room is found in time."""
    with sending(broker.url, queue_size=3) as executor, sending(broker.url, queue_size=3) as other:
        submit(executor, "a", "b")
        submit(other, "c")
        eventually(lambda: _is_busy(executor), bool)
        assert _is_busy(other)
        with broker.client() as client:
            client.delete(WAITING)
        eventually(lambda: _is_busy(executor), lambda busy: not busy)


def _is_busy(executor: CeleryExecutor) -> bool:
    try:
        executor.reserve()
    except Busy:
        return True
    executor.cancel()
    return False


def test_own_reservations_count_at_once(broker: RedisServer) -> None:
    """The broker is not asked each time, and yet nobody overfills it from here."""
    with sending(broker.url, queue_size=3) as executor:
        for _ in range(3):
            executor.reserve()
        with pytest.raises(Busy, match="3 runs wait for a worker"):
            executor.reserve()
        executor.cancel()
        executor.reserve()


def test_places_are_used_again(broker: RedisServer) -> None:
    """Cancelled reservations never fill the queue."""
    with sending(broker.url, queue_size=3) as executor:
        for _ in range(5000):
            executor.reserve()
            executor.cancel()


def test_a_closed_executor_takes_nothing(broker: RedisServer) -> None:
    """After close there is no place."""
    with sending(broker.url) as executor:
        executor.close(0)
        with pytest.raises(Busy, match="stopping"):
            executor.reserve()


def test_what_the_broker_forgot_is_lost(broker: RedisServer) -> None:
    """Far fewer messages than runs: some are lost, and nobody knows which; else none is."""
    with sending(broker.url) as executor:
        assert executor.lost(["a", "b"]) == ["a", "b"]
        submit(executor, "a", "b")
        assert executor.lost(["a", "b"]) == ()
        assert executor.lost(["a", "b", "c"]) == ()
        assert executor.lost([*"abcdef"]) == [*"abcdef"]
        with broker.client() as client:
            client.flushall()
        assert executor.lost(["a", "b"]) == ["a", "b"]


# A broker that is not there


def test_a_dead_broker_refuses_nothing_and_costs_little(tmp_path: Path) -> None:
    """Runs are accepted, nobody waits long and most not at all; when it is back, it is used."""
    with redis_server(tmp_path) as broker, sending(broker.url, queue_size=1) as executor:
        submit(executor, "a")
        broker.kill()
        assert seconds(lambda: executor.submit("b", LANE)) < PROMPT
        assert seconds(lambda: submit(executor, *map(str, range(1000)))) < PROMPT
        assert executor.lost(["b"]) == ()
        broker.start()
        eventually(lambda: executor.lost(["b"]), lambda lost: lost == ["b"], START_SECONDS)
        executor.submit("b", LANE)
        assert len(waiting(broker)) == 1


def test_a_broker_that_hangs_holds_up_no_crowd(tmp_path: Path) -> None:
    """A hundred callers at once wait for one timeout together, not one after the other."""
    with redis_server(tmp_path) as broker, sending(broker.url, queue_size=1000) as executor:
        submit(executor, "a")
        broker.process.send_signal(signal.SIGSTOP)
        try:
            with ThreadPoolExecutor(100) as pool:
                longest = max(
                    pool.map(lambda _: seconds(lambda: submit(executor, "b")), range(100))
                )
        finally:
            broker.process.send_signal(signal.SIGCONT)
        assert longest < PROMPT


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_says_nothing_is_given_up(scheme: str) -> None:
    """A port that takes connections and never answers costs one caller a moment."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"{scheme}://127.0.0.1:{mute.getsockname()[1]}//"
        with sending(url) as executor:
            assert seconds(lambda: submit(executor, "a")) < PROMPT
            assert executor.lost(["a"]) == ()


def test_a_connection_that_was_closed_meanwhile_is_replaced(broker: RedisServer) -> None:
    """A broker that was restarted between two messages loses none."""
    with sending(broker.url) as executor:
        submit(executor, "a")
        with broker.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        submit(executor, "b")
        assert len(waiting(broker)) == 2


def test_senders_share_connections(broker: RedisServer) -> None:
    """However many send at once, each message arrives, over a few connections."""
    with sending(broker.url, queue_size=1000) as executor:
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(lambda number: submit(executor, str(number)), range(200)))
        assert len(waiting(broker)) == 200
        with broker.client() as client:
            assert len(client.client_list()) <= 2 * CONNECTIONS + 1


def test_no_thread_waits_behind(broker: RedisServer) -> None:
    """The executor starts none, so one may be made before a fork."""
    before = threading.active_count()
    with sending(broker.url) as executor:
        submit(executor, "a")
        assert threading.active_count() == before


# A worker


def test_a_worker_executes_what_was_submitted(broker: RedisServer, tmp_path: Path) -> None:
    """Each id once, a message that comes twice both times; by processes that have been started."""
    with sending(broker.url) as executor:
        submit(executor, "a", "b", "c", "c")
        with working(tmp_path, broker.url, "--concurrency", "2") as worker:
            worker.wait_for("end", 4)
            submit(executor, "d")
            worker.wait_for("end", 5)
            assert executor.lost(["e"]) == ["e"]
            assert worker.stop() == 0
    assert Counter(worker.ids("end")) == Counter("abccd")
    started, stopped = worker.processes("start"), worker.processes("stop")
    assert len(set(started)) == len(started) == 2
    assert sorted(stopped) == sorted(started)
    assert worker.process.pid not in started
    assert set(worker.processes("end")) <= set(started)
    assert worker.processes("check") == [worker.process.pid]
    assert worker.diary[0][1] == "check"


@pytest.mark.parametrize("pool", ["solo", "threads", "gevent"])
def test_a_worker_without_children_is_started_itself(
    broker: RedisServer, tmp_path: Path, pool: str
) -> None:
    """Once, before its first run, and stopped once.

    It takes JSON only: whoever can write to the broker cannot make it unpickle something.
    """
    with sending(broker.url) as executor:
        executor.celery.send_task("siteswap.execute", ("evil",), serializer="pickle")
        submit(executor, "a")
        with working(tmp_path, broker.url, "--pool", pool, "--concurrency", "2") as worker:
            worker.wait_for("end")
            eventually(lambda: waiting(broker), lambda messages: not messages)
            assert worker.stop() == 0
    words = [(int(pid), word, *ids) for pid, word, *ids in worker.diary]
    pid = worker.process.pid
    assert words == [
        (pid, "check"), (pid, "start"), (pid, "begin", "a"), (pid, "end", "a"), (pid, "stop"),
    ]  # fmt: skip


def test_a_worker_process_that_is_killed_is_replaced(broker: RedisServer, tmp_path: Path) -> None:
    """Its message comes again, at once, to a process that has been started as well."""
    with sending(broker.url) as executor:
        submit(executor, "die")
        with working(tmp_path, broker.url, "--concurrency", "1") as worker:
            worker.wait_for("end")
    assert worker.ids("begin") == ["die", "die"]
    assert len(worker.processes("start")) == 2


def test_going_down_lets_runs_end(broker: RedisServer, tmp_path: Path) -> None:
    """SIGTERM: what is under way ends, what waits stays in the broker for the next worker."""
    with sending(broker.url) as executor:
        with working(tmp_path, broker.url, "--concurrency", "1") as worker:
            submit(executor, "wait", "later")
            worker.wait_for("begin")
            worker.process.terminate()
            eventually(lambda: worker.log, lambda log: "Warm shutdown" in log, START_SECONDS)
            worker.go_on()
            assert worker.process.wait(START_SECONDS) == 0
        assert worker.ids("end") == ["wait"]
        assert worker.diary[-1][1] == "stop"
        with working(tmp_path, broker.url, "--concurrency", "1") as worker:
            worker.wait_for("end", 2)
    assert worker.ids("end") == ["wait", "later"]


def test_a_worker_outlives_its_broker(tmp_path: Path) -> None:
    """The broker dies with all it knew; the run under way ends, and new ones are executed.

    It is away for longer than the worker needs to notice, while it asks for a second run.
    """
    with (
        redis_server(tmp_path / "broker") as broker,
        sending(broker.url) as executor,
        working(tmp_path, broker.url, "--concurrency", "2") as worker,
    ):
        submit(executor, "wait")
        worker.wait_for("begin")
        broker.kill()
        eventually(lambda: worker.log, lambda log: "Trying again" in log, START_SECONDS)
        worker.go_on()
        worker.wait_for("end")
        broker.start()
        eventually(lambda: executor.lost(["a"]), bool, START_SECONDS)
        executor.submit("a", LANE)
        worker.wait_for("end", 2)
    assert worker.ids("end") == ["wait", "a"]


def test_a_worker_that_may_not_start_says_why(broker: RedisServer, tmp_path: Path) -> None:
    """One sentence and a status, no traceback, and no message is taken."""
    with sending(broker.url) as executor:
        submit(executor, "a")
        with working(tmp_path, broker.url, REFUSE="yes") as worker:
            assert worker.process.wait(START_SECONDS) == 1
    assert "Configuration error: hunter is not a setting" in worker.log
    assert "Traceback" not in worker.log
    assert len(waiting(broker)) == 1
