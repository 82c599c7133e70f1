"""*profile*: where the time of one flow goes inside the application, by part.

The application is called directly, so what gunicorn, gevent and the kernel take around it is not
in the table; ``CPU µs/flow`` of the other tables holds it.
"""

from __future__ import annotations

import cProfile
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from pstats import Stats
from typing import Any

from flask import Flask
from werkzeug.test import create_environ

from app import create_app
from tests.bench.processes import ROOT
from tests.bench.table import table
from tests.bench.workplace import HEADERS, TARGET, Workplace

FLOWS = 2_000

PARTS = (
    ("socket calls", ("_socket.socket",)),
    (
        "transports",
        ("/app/transports/", "/geventhttpclient/", "/app/content.py", "/app/transport.py"),
    ),
    (
        "JSON and form text",
        ("/json/", "/app/json_text.py", "/app/form_text.py", "/urllib/parse.py"),
    ),
    ("example APIs", ("/app/web/example.py",)),
    ("web: token, inputs, envelope", ("/app/web/", "/app/envelope.py", "/app/tokens.py")),
    (
        "service, catalog, coercion",
        ("/app/service.py", "/app/catalog.py", "/app/spec/", "/app/inst"),
    ),
    (
        "engine, steps, expressions",
        ("/app/engine/", "/app/steps/", "/app/expression/", "<expression>"),
    ),
    ("Flask and werkzeug", ("/flask/", "/werkzeug/", "/blinker/", "/app/__init__.py")),
)
"""Part → what stands in the file name, or in the name of a function in C; the first match counts."""
