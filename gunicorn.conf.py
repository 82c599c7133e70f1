"""How Siteswap is served. gunicorn's command line overrides every setting."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import app.wiring  # noqa: F401 - before the fork: the workers share what this loads
from app import startup
from app.config.env_file import with_env_files
from app.config.tokens import TokenRegistry, ensure_first_token
from app.errors import SiteswapError

try:
    _environ = with_env_files(os.environ, Path.cwd())
except SiteswapError as error:
    sys.exit(str(error))

wsgi_app = "wsgi:app"
bind = _environ.get("BIND", "127.0.0.1:9127")

# One process uses one core; waiting costs it nothing, because each connection is a greenlet.
workers = int(_environ.get("WEB_CONCURRENCY") or 2)
worker_class = "app.web.worker.Worker"

# Of one worker, idle ones included; about 14 KB each. Beyond it connections wait in the backlog.
worker_connections = 2_000

# A connection may hold a socket to a downstream as well, and a flow more than one.
_OPEN_FILES = 3 * worker_connections

# Longer than nginx keeps its idle connections to us (60 s): the side that closes first must not
# be the one that may be sent a request at that moment.
keepalive = 65

# A worker whose event loop stands still for so long is killed. This bounds no flow: one that
# waits lets the loop run.
timeout = 30

# For requests that run when a worker is told to go down, and then for accepted async runs.
graceful_timeout = 30

# The most that gunicorn allows: the inputs of a GET stand in the request line, and a Chinese
# character takes nine bytes there.
limit_request_line = 8_190

# Off. Where it is switched on (--access-logfile -), it shows neither the query string nor the
# Referer: a token may stand in both.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(B)s bytes %(M)s ms "%(a)s"'

# A door into the master that nothing here needs.
control_socket_disable = True


def on_starting(server: Any) -> None:
    """Refuse to start with wrong settings, before the port is taken."""
    startup.raise_file_limit(_OPEN_FILES)
    _check(server, server.log.warning)


def when_ready(server: Any) -> None:
    """Hand out the first token once requests can come in, if there is no token yet."""
    tokens = _check(server, lambda _: None)
    try:
        token = ensure_first_token(tokens)
    except SiteswapError as error:
        sys.exit(str(error))
    if token:
        # With --reuse-port each worker listens for itself, later.
        address = server.LISTENERS[0].getsockname() if server.LISTENERS else server.address[0]
        print("The first token is made, and shown this once. Try it:", flush=True)
        print(startup.example_call(token, address), flush=True)


def post_worker_init(worker: Any) -> None:
    """Begin in each worker, after the fork."""
    worker.wsgi.extensions["siteswap"].start()


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish what the worker accepted, within what is left of the graceful timeout."""
    # The master calls this too, for a worker that died; and some never got an application.
    if worker.pid == os.getpid() and hasattr(worker, "wsgi"):
        worker.wsgi.extensions["siteswap"].close(worker.seconds_left())


def _check(server: Any, warn: Callable[[str], None]) -> TokenRegistry:
    try:
        return startup.check(_environ, root=Path.cwd(), workers=server.cfg.workers, warn=warn)
    except SiteswapError as error:
        sys.exit(str(error))
