"""How Siteswap is served. Every setting can be overridden on gunicorn's command line."""

import os
import sys
from pathlib import Path

from app import boot
from app.errors import SiteswapError
from app.tokens import ensure_first_token

_ROOT = Path(__file__).resolve().parent

wsgi_app = "wsgi:app"
bind = os.environ.get("BIND", "127.0.0.1:9127")

# A process uses one core, and the waiting is done by greenlets.
workers = int(os.environ.get("WEB_CONCURRENCY", 2))
worker_class = "app.web.worker.Worker"

# Connections of one worker, idle ones included: about 14 KB each. Each may also hold a socket to
# a downstream, hence the limit on open files.
worker_connections = 2_000
_OPEN_FILES = 3 * worker_connections

# Longer than the 60 s after which nginx drops an idle connection to us: whoever closes first must
# not be the one that may be sent a request at that moment.
keepalive = 65

# A worker that does not come round to its event loop for so long is killed. This bounds no flow:
# a waiting flow leaves the loop free.
timeout = 30

# For running requests, and after them for accepted async runs. Longer than the default 30 s of a
# synchronous flow would keep a deployment waiting.
graceful_timeout = 30

# The most that gunicorn allows. Inputs stand in the query string of a GET; larger ones are sent by
# POST. The default of 4,094 is a hundred Chinese characters short of nothing.
limit_request_line = 8_190

# A token may stand in the query string and in the Referer: neither is logged.
accesslog = None
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(B)s %(M)sms "%(a)s"'

# One more door into the master, which nothing here needs.
control_socket_disable = True


def on_starting(server):  # type: ignore[no-untyped-def]
    """Before the port is taken: refuse to start with wrong settings."""
    boot.raise_file_limit(_OPEN_FILES)
    _or_exit(boot.check, os.environ, root=_ROOT, workers=server.cfg.workers)


def when_ready(server):
    """With the port taken: hand out the first token, if there is none at all."""
