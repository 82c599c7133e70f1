"""``create_app`` is the wiring diagram: it makes every part of a process and joins them."""

from __future__ import annotations

import logging
import os
import random
import secrets
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

from app import startup
from app.catalog.catalog import Catalog
from app.catalog.services import Services
from app.config.env_file import with_env_files
from app.config.secrets import Secrets
from app.config.settings import Settings
from app.config.tokens import TokenRegistry
from app.database.named import NamedDatabases
from app.engine.interpreter import Interpreter
from app.errors import SiteswapError
from app.http.client.connection import Resolve, resolve
from app.http.client.transport import NetworkTransport
from app.http.local import LocalTransport, RoutingTransport
from app.http.message import Transport
from app.native_threads import native_offload
from app.process import Siteswap
from app.python.pool import PythonPool
from app.runs.executor import Executor
from app.runs.executors.threads import ThreadsExecutor
from app.runs.failure_detector import FailureDetector, new_owner
from app.runs.reaper import Reaper, Retention
from app.runs.run import new_id
from app.runs.runner import Runner
from app.runs.store import Store
from app.runs.stores.memory import MemoryStore
from app.runs.stores.sqlite import SqliteStore
from app.runtime.scope import Dependencies
from app.runtime.threads import ThreadPool
from app.web import example, health, open_api
from app.web.application import new_application

OFFLOAD_THREADS = 2
"""Native threads for the store of a process."""
BRANCH_THREADS = 1_000
"""Most branches that are under way at once in this process; more of them take turns."""
CELERY_STOP_SECONDS = 5.0
"""For a worker of Celery that shuts down; it has waited for its runs already."""
LOG_FORMAT = "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s"
LOG_DATE_FORMAT = "%Y-%m-%d %H:%M:%S %z"
"""The format of gunicorn's own log lines."""


def create_app(
    settings: Settings | None = None,
    *,
    wrap_store: Callable[[Store], Store] = lambda store: store,
    resolve: Resolve = resolve,
) -> Flask:
    """The Flask application, wired from the environment unless ``settings`` are given.

    ``wrap_store`` may return another store in place of the one that was opened, such as one that
    fails; ``resolve`` looks up the names of other machines.

    Raises:
        SettingsError: a setting is wrong.
    """
    root = Path.cwd()
    settings = settings or Settings.from_env(with_env_files(os.environ, root), root=root)
    log = _logger()
    for warning in settings.warnings:
        log.warning(warning)

    SiteswapError.language = settings.language
    app = new_application(
        log,
        max_body_bytes=settings.max_body_bytes,
        always_200=settings.http_status == "always-200",
    )
    routes = example.example_routes(today=date.today) if settings.example_api else {}
    network = NetworkTransport(resolve=resolve, private_networks=settings.private_networks)
    services = Services(
        settings.flows_dir,
        settings.env,
        Secrets(settings.secrets, settings.secrets_dir, log),
        log,
        runs_python=settings.python_steps,
    )
    databases = NamedDatabases(
        lambda: services.content.databases,
        lambda: services.scope,
        root=settings.flows_dir.parent,
        new_offload=native_offload,
    )
    catalog = Catalog(settings.flows_dir, services.refresh, log)
    tokens = TokenRegistry(settings.tokens_file, settings.tokens, log=log)
    runner = Runner(
        catalog=catalog,
        interpreter=Interpreter(
            _dependencies(
                settings,
                transport=RoutingTransport(LocalTransport(routes, app), network),
                services=services,
                databases=databases,
                log=log,
            )
        ),
        open_store=lambda: wrap_store(_open_store(settings)),
        executor=partial(_make_executor, settings, app, log),
        clock=time.time,
        sleep=time.sleep,
        new_id=partial(new_id, token_bytes=secrets.token_bytes),
        new_seed=partial(secrets.token_hex, 16),
        log=log,
    )
    reaper = Reaper(
        runner,
        FailureDetector(settings.lease, time.monotonic),
        Retention(settings.retention, settings.retention_runs),
        clock=time.time,
        log=log,
    )
    siteswap = Siteswap(
        catalog=catalog,
        services=services,
        databases=databases,
        tokens=tokens,
        runner=runner,
        reaper=reaper,
        lease=settings.lease,
        new_owner=lambda: new_owner(socket.gethostname(), os.getpid(), secrets.token_hex(4)),
        log=log,
    )

    app.register_blueprint(open_api.create_blueprint(runner, tokens, time.time))
    app.register_blueprint(health.create_blueprint(catalog, services))
    if settings.example_api:
        app.register_blueprint(example.create_blueprint(routes))
    app.extensions["siteswap"] = siteswap
    app.wsgi_app = _starting_first(siteswap.start, app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


def _starting_first(start: Callable[[], None], wsgi: WSGIApplication) -> WSGIApplication:
    """The application, started by its first request where no server hook has started it."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start()
        return wsgi(environ, start_response)

    return application


def _logger() -> logging.Logger:
    """Our logger. It writes to standard error unless logging was set up before."""
    log = logging.getLogger("app")
    if not log.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(LOG_FORMAT, LOG_DATE_FORMAT))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    return log


def _dependencies(
    settings: Settings,
    *,
    transport: Transport,
    services: Services,
    databases: NamedDatabases,
    log: logging.Logger,
) -> Dependencies:
    """The means by which steps act."""
    return Dependencies(
        transport=transport,
        python=PythonPool(
            size=max(2, os.cpu_count() or 1),
            memory=settings.python_memory,
            environ=os.environ,
            monotonic=time.monotonic,
        ),
        monotonic=time.monotonic,
        sleep=time.sleep,
        random=random.random,
        now=lambda: datetime.now(UTC),
        uuid=lambda: str(uuid.uuid4()),
        env=settings.env,
        secrets=services.secrets,
        max_response_bytes=settings.max_response_bytes,
        thread_pool=ThreadPool(BRANCH_THREADS),
        log=log.getChild("flow"),
        service=services.service,
        databases=databases,
    )


def _make_executor(
    settings: Settings, app: Flask, log: logging.Logger, execute: Callable[[str], None]
) -> Executor:
    if settings.executor.kind == "threads":
        threads = settings.executor.threads
        return ThreadsExecutor(execute, threads=threads, queue_size=settings.queue_size)
    from app.runs.executors.celery import CeleryExecutor, make_celery

    def check() -> None:
        for warning in startup.try_store(settings.store):
            log.warning(warning)

    app.extensions["celery"] = celery = make_celery(
        settings.broker or "",
        execute,
        check=check,
        on_worker_start=lambda: app.extensions["siteswap"].start(),
        on_worker_stop=lambda: app.extensions["siteswap"].close(CELERY_STOP_SECONDS),
    )
    return CeleryExecutor(celery, queue_size=settings.queue_size)


def _open_store(settings: Settings) -> Store:
    address = settings.store
    if address.path is not None:
        return SqliteStore(address.path, offload=native_offload(OFFLOAD_THREADS))
    if address.url is None:
        return MemoryStore()
    from app.runs.stores.redis import RedisStore

    return RedisStore(address.url, retention=settings.retention)
