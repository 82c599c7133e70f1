"""Runs for people, over HTTP: look at one, cancel one."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app import envelope
from app.errors import InstanceNotFound
from app.instance import Instance
from app.json_text import dumps
from app.service import Service
from app.view import view
from app.web.auth import Authenticate
from app.web.errors import respond
from app.web.inbound import Inbound


def add_routes(
    blueprint: Blueprint, prefix: str, number: int, service: Service, authenticate: Authenticate
) -> None:
    """Add the routes below one prefix; ``number`` tells the prefixes apart."""

    def allowed(instance_id: str) -> Instance:
        caller = authenticate(request, Inbound(request))
        instance = service.result(instance_id)
        if not caller.may_call(instance.flow_key):
            raise InstanceNotFound
        return instance

    def answer(instance: Instance) -> Response:
        return respond(envelope.success(dumps(view(service, instance))))

    def show(instance_id: str) -> Response:
        return answer(allowed(instance_id))

    def cancel(instance_id: str) -> Response:
        return answer(service.cancel(allowed(instance_id).id))

    path = f"{prefix}/instances/<instance_id>"
    blueprint.add_url_rule(path, f"instance_{number}", show, methods=["GET"])
    blueprint.add_url_rule(f"{path}/cancel", f"cancel_{number}", cancel, methods=["POST"])
