"""Runs for people, over HTTP: look at one, cancel one."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.errors import RunNotFound
from app.runs.run import RunRecord
from app.runs.runner import Runner
from app.runs.view import view
from app.strict_json import dumps
from app.web import envelope
from app.web.auth import Authenticate
from app.web.errors import respond
from app.web.request import RequestReader


def add_routes(
    blueprint: Blueprint, prefix: str, number: int, runner: Runner, authenticate: Authenticate
) -> None:
    """Add the routes below one prefix; ``number`` tells the prefixes apart."""

    def allowed(run_id: str) -> RunRecord:
        caller = authenticate(request, RequestReader(request))
        run = runner.result(run_id)
        if not caller.may_call(run.flow_key):
            raise RunNotFound
        return run

    def answer(run: RunRecord) -> Response:
        return respond(envelope.success(dumps(view(runner, run))))

    def show(run_id: str) -> Response:
        return answer(allowed(run_id))

    def cancel(run_id: str) -> Response:
        return answer(runner.cancel(allowed(run_id).id))

    path = f"{prefix}/instances/<run_id>"
    blueprint.add_url_rule(path, f"instance_{number}", show, methods=["GET"])
    blueprint.add_url_rule(f"{path}/cancel", f"cancel_{number}", cancel, methods=["POST"])
