"""The open API: trigger a flow, fetch an async result, look at runs. Two prefixes, one meaning."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from app.errors import RunNotFound, TokenRejected
from app.runs.run import RunRecord, Status
from app.runs.runner import Runner
from app.web import envelope, errors, runs
from app.web.auth import Authenticate
from app.web.errors import respond
from app.web.request import RequestReader

PREFIXES = ("/v1/open/flow", "/open/v1/flow")
"""The seed's path, and the one that the official 1.3+ SDKs call."""
STATUS_HEADER = "Juggle-Flow-Status"


def create_blueprint(runner: Runner, authenticate: Authenticate) -> Blueprint:
    """The routes of the open API."""
    blueprint = Blueprint("open_api", __name__)

    def trigger(version: str, key: str) -> Response:
        inbound = RequestReader(request)
        caller = authenticate(request, inbound)
        if not caller.may_call(key):
            raise TokenRejected
        answer = runner.trigger(key, version, inbound.given, inbound.view)
        text = envelope.triggered(answer)
        return errors.answer(answer.error, text) if answer.error else respond(text)

    def result(run_id: str) -> Response:
        caller = authenticate(request, RequestReader(request))
        run = runner.result(run_id)
        if not caller.may_call(run.flow_key):
            raise RunNotFound
        return _polled(run)

    for number, prefix in enumerate(PREFIXES):
        path = f"{prefix}/trigger/<version>/<key>"
        blueprint.add_url_rule(path, f"trigger_{number}", trigger, methods=["GET", "POST"])
        path = f"{prefix}/getAsyncFlowResult/<run_id>"
        blueprint.add_url_rule(path, f"result_{number}", result, methods=["GET"])
        runs.add_routes(blueprint, prefix, number, runner, authenticate)
    blueprint.record_once(_unroute_head)
    return blueprint


def _unroute_head(state: BlueprintSetupState) -> None:
    """``HEAD`` runs no flow, though werkzeug routes it wherever it routes ``GET``."""
    for rule in state.app.url_map.iter_rules():
        if rule.methods and rule.endpoint.startswith(f"{state.blueprint.name}."):
            rule.methods.discard("HEAD")


def _polled(run: RunRecord) -> Response:
    """The polling table of ``docs/open-api.md``. A failed flow is a successful poll: always 200."""
    outcome = run.outcome
    if outcome is None:
        response = respond(envelope.success("null"))
        response.headers["Retry-After"] = "1"
    elif run.status is Status.FINISH:
        response = respond(envelope.success(outcome.result or "null"))
    else:
        response = respond(envelope.failure(outcome.error_code, outcome.error_message or ""))
    response.headers[STATUS_HEADER] = run.status.value
    return response
