"""The open API: trigger a flow, fetch an async result, look at runs. Two prefixes, one meaning."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState

from app import envelope
from app.errors import InstanceNotFound, TokenRejected
from app.instance import Instance, Status
from app.service import Service
from app.web import errors, instances
from app.web.auth import Authenticate
from app.web.errors import respond
from app.web.inbound import Inbound

PREFIXES = ("/v1/open/flow", "/open/v1/flow")
"""The seed's path, and the one that the official 1.3+ SDKs call."""
STATUS_HEADER = "Juggle-Flow-Status"


def create_blueprint(service: Service, authenticate: Authenticate) -> Blueprint:
    """The routes of the open API."""
    blueprint = Blueprint("open_api", __name__)

    def trigger(version: str, key: str) -> Response:
        inbound = Inbound(request)
        caller = authenticate(request, inbound)
        if not caller.may_call(key):
            raise TokenRejected
        answer = service.trigger(key, version, inbound.given, inbound.view)
        text = envelope.triggered(answer)
        return errors.answer(answer.error, text) if answer.error else respond(text)

    def result(instance_id: str) -> Response:
        caller = authenticate(request, Inbound(request))
        instance = service.result(instance_id)
        if not caller.may_call(instance.flow_key):
            raise InstanceNotFound
        return _polled(instance)

    for number, prefix in enumerate(PREFIXES):
        path = f"{prefix}/trigger/<version>/<key>"
        blueprint.add_url_rule(path, f"trigger_{number}", trigger, methods=["GET", "POST"])
        path = f"{prefix}/getAsyncFlowResult/<instance_id>"
        blueprint.add_url_rule(path, f"result_{number}", result, methods=["GET"])
        instances.add_routes(blueprint, prefix, number, service, authenticate)
    blueprint.record_once(_unroute_head)
    return blueprint


def _unroute_head(state: BlueprintSetupState) -> None:
    """``HEAD`` runs no flow, though werkzeug routes it wherever it routes ``GET``."""
    for rule in state.app.url_map.iter_rules():
        if rule.methods and rule.endpoint.startswith(f"{state.blueprint.name}."):
            rule.methods.discard("HEAD")


def _polled(instance: Instance) -> Response:
    """The polling table of ``docs/open-api.md``. A failed flow is a successful poll: always 200."""
    outcome = instance.outcome
    if outcome is None:
        response = respond(envelope.success("null"))
        response.headers["Retry-After"] = "1"
    elif instance.status is Status.FINISH:
        response = respond(envelope.success(outcome.result or "null"))
    else:
        response = respond(envelope.failure(outcome.error_code, outcome.error_message or ""))
    response.headers[STATUS_HEADER] = instance.status.value
    return response
