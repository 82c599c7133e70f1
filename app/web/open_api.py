"""The open API: trigger a flow, poll its result, show a run, cancel it.

It has two prefixes with one meaning.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from app.config.tokens import Caller, TokenRegistry
from app.errors import RunNotFound, TokenRejected
from app.runs.run import RunRecord, Status
from app.runs.runner import Runner
from app.runs.view import view
from app.strict_json import dumps
from app.web import envelope
from app.web.envelope import respond, respond_error
from app.web.request import RequestReader

PREFIXES = ("/v1/open/flow", "/open/v1/flow")
"""The seed's path, and the one that the official 1.3+ SDKs call."""
TOKEN_HEADER = "Juggle-Token"
STATUS_HEADER = "Juggle-Flow-Status"


def create_blueprint(
    runner: Runner, tokens: TokenRegistry, clock: Callable[[], float]
) -> Blueprint:
    """The routes of the open API; ``clock`` is in seconds since the epoch."""
    blueprint = Blueprint("open_api", __name__)

    def caller_of(reader: RequestReader) -> Caller:
        token = request.headers.get(TOKEN_HEADER) or reader.token()
        caller = tokens.authenticate(token, clock()) if token else None
        if caller is None:
            raise TokenRejected
        return caller

    def permitted(run_id: str) -> RunRecord:
        caller = caller_of(RequestReader(request))
        run = runner.result(run_id)
        if not caller.may_call(run.flow_key):
            raise RunNotFound
        return run

    def trigger(version: str, key: str) -> Response:
        reader = RequestReader(request)
        if not caller_of(reader).may_call(key):
            raise TokenRejected
        result = runner.trigger(key, version, reader.given, reader.view)
        text = envelope.triggered(result)
        return respond_error(result.error, text) if result.error else respond(text)

    def poll(run_id: str) -> Response:
        return _polled(permitted(run_id))

    def show(run_id: str) -> Response:
        return _shown(runner, permitted(run_id))

    def cancel(run_id: str) -> Response:
        return _shown(runner, runner.cancel(permitted(run_id).id))

    for number, prefix in enumerate(PREFIXES):
        for path, name, function, methods in (
            ("trigger/<version>/<key>", "trigger", trigger, ["GET", "POST"]),
            ("getAsyncFlowResult/<run_id>", "result", poll, ["GET"]),
            ("instances/<run_id>", "instance", show, ["GET"]),
            ("instances/<run_id>/cancel", "cancel", cancel, ["POST"]),
        ):
            endpoint = f"{name}_{number}"
            blueprint.add_url_rule(f"{prefix}/{path}", endpoint, function, methods=methods)
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


def _shown(runner: Runner, run: RunRecord) -> Response:
    return respond(envelope.success(dumps(view(runner, run))))
