"""What the Redis store is told about its server at the start: refusals and warnings.

As a program it reads the address on its input, and writes a line for each warning.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from app.errors import SettingsError
from app.runs.stores.redis import PREFIX, TIMEOUT, open_client


def check_redis(url: str, timeout: float = TIMEOUT) -> list[str]:
    """Try a store before anything depends on it; sentences about what weakens its promise.

    Raises:
        SettingsError: it cannot be reached, or cannot be used as a store.
    """
    try:
        client = open_client(url, timeout, 1)
    except ValueError as error:
        raise SettingsError(f"the Redis store: {error}") from error
    try:
        client.ping()
        # A write that changes nothing: a replica refuses it, and a user who may not run scripts.
        client.eval("return redis.call('DEL', KEYS[1])", 1, f"{PREFIX}probe")
        return [*_missing_persistence(client), *_eviction(client)]
    except RedisError as error:
        raise SettingsError(f"the Redis store at {_where(client)} {_trouble(error)}") from error
    finally:
        client.connection_pool.disconnect()


def _trouble(error: RedisError) -> str:
    """What is wrong with a server at the start, as the end of a sentence."""
    if isinstance(error, AuthenticationError):
        return "refuses the user or password of SITESWAP_STORE, or wants one"
    if isinstance(error, NoPermissionError):
        return f"does not permit its user what a store does ({error})"
    if isinstance(error, NoAnswer):
        return "does not answer in time"
    if isinstance(error, ResponseError):
        return f"cannot be used: {error}"
    if isinstance(error, NoConnection):
        return f"cannot be reached: {error}"
    return f"is no Redis server ({type(error).__name__})"


def _where(client: Redis) -> str:
    known = client.connection_pool.connection_kwargs
    return f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"


def _missing_persistence(client: Redis) -> Iterator[str]:
    try:
        is_on = client.config_get("appendonly").get("appendonly")
        fsync = client.config_get("appendfsync").get("appendfsync")
    except ResponseError:
        # Hosted Redis often forbids CONFIG, and INFO tells about the file all the same.
        is_on = _info(client, "persistence", "aof_enabled", {"1": "yes", "0": "no"})
        fsync = "unknown"
    if is_on is None:
        yield "the Redis store does not say whether it keeps an append-only file"
    elif is_on != "yes":
        yield (
            "the Redis store has appendonly no: accepted runs are lost when Redis restarts; "
            "set appendonly yes"
        )
    elif fsync == "no":
        yield (
            "the Redis store has appendfsync no: a crash of its machine loses what was accepted "
            "in the last half minute; set appendfsync always, or everysec"
        )


def _eviction(client: Redis) -> Iterator[str]:
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except ResponseError:
        policy = _info(client, "memory", "maxmemory_policy", {})
    if policy is None:
        yield "the Redis store does not say its maxmemory-policy; it must be noeviction"
    elif policy != "noeviction":
        yield (
            f"the Redis store has maxmemory-policy {policy}: a full memory would drop accepted "
            "runs; set maxmemory-policy noeviction"
        )


def _info(client: Redis, section: str, name: str, words: Mapping[str, str]) -> str | None:
    try:
        found = client.info(section).get(name)
    except ResponseError:
        return None
    return None if found is None else words.get(str(found), str(found))


if __name__ == "__main__":
    try:
        for sentence in check_redis(sys.stdin.read()):
            print(sentence)
    except SettingsError as error:
        sys.exit(error.message)
