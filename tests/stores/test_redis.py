"""The Redis store keeps the contract, and what it promises beside it, on a real Redis."""

from __future__ import annotations

import itertools
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from app.errors import Busy, SettingsError
from app.runs.run import Status
from app.runs.stores.redis import PREFIX, RedisStore
from app.runs.stores.redis_check import check_redis
from tests.blackbox.client import eventually
from tests.certificates import Authority
from tests.redis_server import RedisServer, redis_server
from tests.stores.suite import FINISH, SOURCE, StoreSuite, begin, end, ended, new, step

RETENTION = 3600.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for all tests that do it no harm."""
    with redis_server(tmp_path_factory.mktemp("redis"), appendonly="no") as server:
        yield server


@pytest.fixture
def store(server: RedisServer) -> Iterator[RedisStore]:
    """A store in an empty Redis."""
    with server.client() as client:
        client.flushall()
    with closing(RedisStore(server.url, retention=RETENTION)) as store:
        yield store


class TestRedisStore(StoreSuite):
    """The suite, on a real Redis."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test's own Redis keeps its files."""
    return tmp_path / "redis"


@contextmanager
def opened(url: str, **options: Any) -> Iterator[RedisStore]:
    """A store on this server."""
    with closing(RedisStore(url, retention=RETENTION, **options)) as store:
        yield store


def test_all_keys_are_of_one_slot_and_of_ours(store: RedisStore, server: RedisServer) -> None:
    """Every key begins with the same words in braces, which is what a cluster goes by."""
    end(store, "a", 3.0)
    store.record(begin(store, "b"), ended(step("0")))
    store.beat("one", 1)
    with server.client() as client:
        assert {key[:11] for key in client.scan_iter()} == {"{siteswap}:"}


def test_an_ended_run_expires_and_one_that_has_not_ended_does_not(
    store: RedisStore, server: RedisServer
) -> None:
    """The run, its journal and its source go after the retention; what goes on stays for ever."""
    for run_id in ("ended", "running"):
        store.record(begin(store, run_id, source=run_id), ended(step("0")))
    store.complete("ended", None, FINISH, 3.0)
    with server.client() as client:
        for kind in ("run", "steps", "source"):
            assert RETENTION - 60 < client.ttl(f"{PREFIX}{kind}:ended") <= RETENTION
            assert client.ttl(f"{PREFIX}{kind}:running") == -1


def test_a_source_stays_while_a_run_names_it(store: RedisStore, server: RedisServer) -> None:
    """It begins to expire with the last of its runs, and stops when another names it again."""
    begin(store, "a")
    end(store, "b", 3.0)
    with server.client() as client:
        assert client.ttl(f"{PREFIX}source:digest") == -1
        store.complete("a", None, FINISH, 3.0)
        assert client.ttl(f"{PREFIX}source:digest") > 0
        begin(store, "c")
        assert client.ttl(f"{PREFIX}source:digest") == -1


def test_what_expired_is_forgotten_everywhere(server: RedisServer, store: RedisStore) -> None:
    """A list skips it; the sweep takes the last traces away, and counts them."""
    with closing(RedisStore(server.url, retention=0.001)) as brief:
        for number in range(5):
            end(brief, f"gone {number}", 3.0 + number)
    end(store, "kept", 9.0)
    eventually(lambda: store.get("gone 4"), lambda found: found is None)
    assert [each.id for each in store.find(limit=2)] == ["kept"]
    assert [each.id for each in store.find(status=Status.FINISH, limit=9)] == ["kept"]
    assert store.prune(9.0, 100, 100) == 5
    with server.client() as client:
        assert set(client.scan_iter()) == {
            *(PREFIX + name for name in ("all", "ended", "flow:sync_example", "run:kept")),
            *(PREFIX + name for name in ("status:FINISH", "source:digest")),
            f"{PREFIX}status:FINISH:flow:sync_example",
        }


def test_a_killed_redis_loses_nothing_and_the_store_heals(folder: Path) -> None:
    """With an append-only file, all that was answered is there after kill -9; meanwhile: Busy."""
    with redis_server(folder, appendonly="yes") as server, opened(server.url) as store:
        answered: list[str] = []
        with ThreadPoolExecutor(5) as pool:
            for caller in range(4):
                pool.submit(_add_until_busy, store, caller, answered)
            eventually(lambda: len(answered), lambda count: count > 200)
            server.kill()
        with pytest.raises(Busy):
            store.get("a")
        server.start()
        assert len(answered) > 200
        assert all(store.get(run_id) == new(run_id) for run_id in answered)
        assert {claim.run_id for claim in store.held(["one"], 10**6)} >= set(answered)


def _add_until_busy(store: RedisStore, caller: int, answered: list[str]) -> None:
    with suppress(Busy):
        for number in itertools.count():
            store.add(new(f"{caller}/{number}"), SOURCE)
            answered.append(f"{caller}/{number}")


def test_a_full_memory_accepts_nothing_but_lets_runs_end(folder: Path) -> None:
    """A new run is refused and leaves no trace; what is under way goes on to its end."""
    with (
        redis_server(folder, appendonly="no", maxmemory_policy="noeviction") as server,
        opened(server.url) as store,
        server.client() as client,
    ):
        claim = begin(store, "a")
        store.add(new("b"), SOURCE)
        other = begin(store, "c")
        client.config_set("maxmemory", "1")
        with pytest.raises(Busy):
            store.add(new("refused"), SOURCE)
        store.beat("one", 2)
        assert store.record(claim, step("0"))
        assert store.record(claim, ended(step("0")))
        assert store.claim("b", "two", 2.0) is not None
        assert list(store.adopt([other], "two")) == ["c"]
        assert store.complete("a", claim, FINISH, 3.0, new("then"), SOURCE)
        client.config_set("maxmemory", "0")
        assert store.get("refused") is None
        assert len(store.find(limit=10)) == 4
        assert store.owners() == {"one": 2, "two": None}
        store.add(new("refused"), SOURCE)


def test_a_redis_that_hangs_is_busy_in_time(folder: Path) -> None:
    """A server that takes a call and does not answer costs the timeout, and then all is well."""
    with redis_server(folder) as server, opened(server.url, timeout=0.2) as store:
        store.add(new("a"), SOURCE)
        server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(Busy):
                store.get("a")
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert store.get("a") == new("a")


def test_a_replica_and_a_script_that_hangs_are_busy(folder: Path) -> None:
    """What Redis refuses for a while is Busy, and heals."""
    with redis_server(folder, busy_reply_threshold="10") as server, opened(server.url) as store:
        with server.client() as client:
            client.replicaof("127.0.0.1", "1")
            with pytest.raises(Busy):
                store.add(new("a"), SOURCE)
            client.replicaof("NO", "ONE")
            with ThreadPoolExecutor(1) as pool:
                endless = pool.submit(_loop_for_ever, server)
                _await_busy(store)
                client.script_kill()
                endless.result()
        store.add(new("a"), SOURCE)


def _loop_for_ever(server: RedisServer) -> None:
    with server.client() as client, suppress(RedisError):
        client.eval("while true do end", 0)


def _await_busy(store: RedisStore) -> None:
    def is_busy() -> bool:
        with suppress(Busy):
            store.get("a")
            return False
        return True

    eventually(is_busy, bool)


def test_a_redis_under_tls_with_an_authority_of_our_own(folder: Path) -> None:
    """Its certificate is checked; the authority's form matters to no version of Python."""
    authority = Authority(folder.parent / "tls", ["basicConstraints = CA:TRUE"])
    certificate = authority.sign("redis")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = {
        "tls_port": str(port), "tls_auth_clients": "no", "tls_cert_file": str(certificate),
        "tls_key_file": str(certificate.with_suffix(".key")),
        "tls_ca_cert_file": str(authority.path),
    }  # fmt: skip
    url = f"rediss://127.0.0.1:{port}/0"
    with redis_server(folder, appendonly="no", **options):
        with opened(f"{url}?ssl_ca_certs={authority.path}") as store:
            store.add(new("a"), SOURCE)
            assert store.get("a") == new("a")
        with opened(url) as store, pytest.raises(Busy):
            store.get("a")


def test_a_bug_is_not_taken_for_a_busy_store(server: RedisServer, store: RedisStore) -> None:
    """What will be no better the next time is raised as it is."""
    with server.client() as client:
        client.set(f"{PREFIX}run:a", "not a hash")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        store.get("a")


def test_a_forked_process_has_connections_of_its_own(
    server: RedisServer, store: RedisStore
) -> None:
    """A store that was in use goes on in the child and in the parent, and answers do not mix."""
    program = FORK.format(url=server.url)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("parent 0\n", "", 0)
    for who in ("parent", "child"):
        assert all(store.get(f"{who} {number}") is not None for number in range(200))


ROOT = Path(__file__).parents[2]
FORK = """
import os
from app.runs.stores.redis import RedisStore
from tests.stores.suite import SOURCE, new
store = RedisStore({url!r}, retention=60)
store.add(new("before"), SOURCE)
child = os.fork()
who = "parent" if child else "child"
for number in range(200):
    instance = new(f"{{who}} {{number}}")
    store.add(instance, SOURCE)
    assert store.get(instance.id) == instance
if child:
    print(who, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_greenlets_wait_for_redis_without_blocking(server: RedisServer, store: RedisStore) -> None:
    """In a patched process a thousand greenlets share the connections, and others go on."""
    done = subprocess.run(
        [sys.executable, "-m", "gevent.monkey", "--module", "tests.stores.programs.redis_greenlets",
         server.url],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("1000 True\n", "", 0)


# What is said at the start


def test_a_safe_redis_is_started_with_without_a_word(folder: Path) -> None:
    """An append-only file and noeviction are what the promise needs."""
    with redis_server(folder, appendonly="yes", maxmemory_policy="noeviction") as server:
        assert check_redis(server.url) == []
        done = subprocess.run(
            [sys.executable, "-m", "app.runs.stores.redis_check"],
            input=server.url, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"appendonly": "no"}, "appendonly no"),
        ({"appendonly": "yes", "appendfsync": "no"}, "appendfsync no"),
        ({"appendonly": "yes", "maxmemory_policy": "allkeys-lru"}, "maxmemory-policy allkeys-lru"),
        ({"appendonly": "yes", "maxmemory_policy": "volatile-ttl"}, "maxmemory-policy volatile"),
    ],
)
def test_what_weakens_the_promise_is_said(
    folder: Path, options: dict[str, str], words: str
) -> None:
    """One sentence for each, which names the setting."""
    with redis_server(folder, **options) as server:
        [warning] = check_redis(server.url)
        assert words in warning


def test_a_redis_without_config_is_asked_another_way(folder: Path) -> None:
    """Hosted ones forbid CONFIG; INFO knows the most of it, and what nobody tells is said."""
    with (
        redis_server(folder, appendonly="no", maxmemory_policy="allkeys-lru") as server,
        server.client() as client,
    ):
        client.execute_command("ACL", "SETUSER", "default", "-config")
        assert len(check_redis(server.url)) == 2
        client.execute_command("ACL", "SETUSER", "default", "-info")
        assert ["does not say" in each for each in check_redis(server.url)] == [True, True]


@pytest.mark.parametrize("user", ["", "nobody:hunter2@", ":hunter2@"])
def test_a_redis_that_wants_a_password_is_refused(folder: Path, user: str) -> None:
    """The sentence names the setting and the server, and no password."""
    with redis_server(folder, requirepass="secret") as server:
        url = server.url.replace("//", f"//{user}")
        with pytest.raises(
            SettingsError, match=f"127.0.0.1:{server.port} .*SITESWAP_STORE"
        ) as caught:
            check_redis(url)
        assert "hunter2" not in str(caught.value)
        with opened(url) as store, pytest.raises(Busy) as refused:
            store.get("a")
        assert "hunter2" not in repr(refused.value) + repr(refused.value.__cause__)


def test_a_server_that_cannot_be_a_store_is_refused(folder: Path) -> None:
    """Nobody there, a replica, no right to run scripts: each is a sentence before the start."""
    with redis_server(folder) as server, server.client() as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(SettingsError, match=r"cannot be used: .*read only replica"):
            check_redis(server.url)
        client.replicaof("NO", "ONE")
        client.execute_command("ACL", "SETUSER", "default", "-@scripting")
        with pytest.raises(SettingsError, match=r"does not permit its user .*eval"):
            check_redis(server.url)
        server.kill()
        with pytest.raises(SettingsError, match=rf"127.0.0.1:{server.port} cannot be reached"):
            check_redis(server.url)


def test_what_is_no_redis_is_refused() -> None:
    """Another server behind the address is noticed, whatever it says."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        port = listener.getsockname()[1]
        answered = pool.submit(_answer_as_http, listener)
        with pytest.raises(SettingsError, match=rf"127.0.0.1:{port} is no Redis server"):
            check_redis(f"redis://127.0.0.1:{port}", timeout=2)
        answered.result()


def _answer_as_http(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
