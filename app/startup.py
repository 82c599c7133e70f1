"""What is done before anything is served: check settings, tokens and store, show an example."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.config.settings import Settings, check_serving
from app.config.tokens import TokenRegistry
from app.config.values import StoreAddress
from app.errors import SettingsError
from app.runs.stores.sqlite_file import prepare

EXAMPLE = "/v1/open/flow/trigger/v1/sync_example?userName=juggle&password=123456&deposit=1000.00"

_STORE_SECONDS = 5.0
"""How long to wait for another process that has locked the store."""

_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def check(
    environ: Mapping[str, str],
    *,
    root: Path,
    workers: int,
    warn: Callable[[str], None] = lambda _: None,
) -> TokenRegistry:
    """Refuse to start with wrong settings, a broken tokens file or store; the tokens, read.

    ``warn`` is told what weakens the store's promise, in sentences.

    Raises:
        SettingsError, TokenError: what is wrong, a line for each error.
    """
    settings = Settings.from_env(environ, root=root)
    check_serving(settings, workers=workers)
    registry = TokenRegistry(settings.tokens_file, settings.tokens)
    registry.load()
    for sentence in try_store(settings.store):
        warn(sentence)
    return registry


def try_store(address: StoreAddress) -> list[str]:
    """Refuse a store that cannot be used; sentences about what weakens its promise.

    Raises:
        SettingsError: what is wrong with it.
    """
    if address.path is not None:
        prepare(address.path, _STORE_SECONDS)
    if address.url is not None:
        return _try_redis(address.url)
    return []


def _try_redis(url: str) -> list[str]:
    """Check the store in another process, because the library imports ``ssl``.

    gevent could not patch that any more in the workers, which are forked from this process.
    """
    done = subprocess.run(
        [sys.executable, "-m", "app.runs.stores.redis_check"],
        input=url,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SettingsError(done.stderr.strip().rpartition("\n")[2])
    return done.stdout.splitlines()


def example_call(token: str, address: Any) -> str:
    """The example request as one line for a shell.

    ``address`` is what ``getsockname`` says of the listening socket: a tuple that begins with host
    and port, or the path of a unix socket.
    """
    header = f"curl -H 'Juggle-Token: {token}'"
    if isinstance(address, str):
        return f"{header} --unix-socket '{address}' 'http://localhost{EXAMPLE}'"
    host = _EVERY_ADDRESS.get(address[0], address[0])
    if ":" in host:
        host = f"[{host}]"
    return f"{header} 'http://{host}:{address[1]}{EXAMPLE}'"


def raise_file_limit(wanted: int) -> None:
    """Let this process and its children open ``wanted`` files, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
