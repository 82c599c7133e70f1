"""``http: METHOD service:/path``: what a service adds to a request, and what a step keeps."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from app.errors import FlowFailed, FlowTimeout
from app.http.message import Response, TransportError
from tests.engine.world import Answer, World, json_answer

OK = json_answer("{}")
BUSY = json_answer("{}", 503)


def called(services: str, step: str, answers: list[Answer] | None = None, **options: Any) -> World:
    """The world after one step has called a service; ``step`` is what follows ``- ``."""
    world = World(answers or [OK], services=services, **options)
    lines = step.replace("\n", "\n    ")
    world.run(f"steps:\n  - {lines}\n")
    return world


CRM = """\
services:
  crm:
    url: https://crm.example/v2
"""


def crm(*lines: str) -> str:
    """The service ``crm`` with more keys."""
    return CRM + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize("base", ["https://crm.example/v2", "https://crm.example/v2/"])
def test_a_base_path_is_kept(base: str) -> None:
    """The path of the step stands behind the path of the service."""
    world = called(f"services: {{crm: {{url: '{base}'}}}}", "http: GET crm:/customers/7?full=1")
    assert world.requests[0].url == "https://crm.example/v2/customers/7?full=1"


def test_values_in_the_path_stay_in_their_place() -> None:
    """What holds for every url holds behind a service's own, too."""
    world = called(CRM, "http: \"GET crm:/customers/${'a/b?c'}\"")
    assert world.requests[0].url == "https://crm.example/v2/customers/a%2Fb%3Fc"
    with pytest.raises(FlowFailed, match="would climb"):
        called(CRM, "http: \"GET crm:/customers/${'..'}/x\"")


def test_the_base_url_reads_the_environment() -> None:
    """One file serves every stage."""
    services = "services: {crm: {url: 'https://${env.CRM}/${secrets.PATH}'}}"
    env, secrets = {"CRM": "crm.test"}, {"PATH": "hidden"}
    world = called(services, "http: GET crm:/a", env=env, secrets=secrets)
    assert world.requests[0].url == "https://crm.test/hidden/a"


def test_a_service_of_this_very_application() -> None:
    """A url that begins with / stays in this process, with the same defaults."""
    world = called("services: {own: {url: /example, headers: {X: a}}}", "http: GET own:/user")
    assert world.requests[0].url == "/example/user"
    assert world.requests[0].headers["X"] == "a"


def test_headers_of_the_step_go_over_those_of_the_service() -> None:
    """Whatever their case; ``null`` leaves a default out."""
    services = crm("headers: {X-Tenant: acme, X-Trace: 'on', Accept: text/csv}")
    step = "http: GET crm:/a\nheaders: {x-tenant: other, X-Trace: null}"
    headers = called(services, step).requests[0].headers
    assert headers == {"User-Agent": "siteswap", "x-tenant": "other", "Accept": "text/csv"}


def test_parameters_of_the_step_go_over_those_of_the_service() -> None:
    """Those in its url as well as those under ``query``; a list repeats its name."""
    services = crm("query: {api: '2', page: 1, tag: [a, b], size: 10}")
    step = "http: GET crm:/a?page=7\nquery: {size: null, q: x y}"
    url = called(services, step).requests[0].url
    assert url == "https://crm.example/v2/a?page=7&api=2&tag=a&tag=b&q=x+y"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("bearer: '${secrets.KEY}'", "Authorization", "Bearer s3cret-key"),
        (
            "basic: {user: joe, password: '${secrets.KEY}'}",
            "Authorization",
            "Basic " + base64.b64encode(b"joe:s3cret-key").decode(),
        ),
        ("header: {name: X-Api-Key, value: '${secrets.KEY}'}", "X-Api-Key", "s3cret-key"),
    ],
)
def test_the_service_knows_who_calls(auth: str, header: str, value: str) -> None:
    """Its credentials go over a header of the same name, wherever that comes from."""
    services = crm(f"auth: {{{auth}}}", f"headers: {{{header}: none}}")
    step = f"http: GET crm:/a\nheaders: {{{header.lower()}: mine}}"
    headers = called(services, step, secrets={"KEY": "s3cret-key"}).requests[0].headers
    assert [v for name, v in headers.items() if name.lower() == header.lower()] == [value]


def test_a_signature_covers_method_target_time_and_body() -> None:
    """As docs/services.md describes it."""
    services = crm("auth: {hmac: {key: '${secrets.KEY}', key_id: k1}}")
    step = "http: POST crm:/größe?a=b c\njson: {n: 1}"
    (request,) = called(services, step, secrets={"KEY": "k"}).requests
    time = "1795392000"
    lines = ["POST", "/v2/gr%C3%B6%C3%9Fe?a=b%20c", time, hashlib.sha256(b'{"n":1}').hexdigest()]
    wanted = hmac.new(b"k", "\n".join(lines).encode(), "sha256").hexdigest()
    assert request.headers["X-Signature"] == f"sha256={wanted}"
    assert (request.headers["X-Timestamp"], request.headers["X-Key-Id"]) == (time, "k1")
    assert request.url == f"https://crm.example{lines[1]}"


def redirect(location: str, status: int = 302) -> Response:
    """An answer that redirects."""
    return Response(status, {"location": location}, b"")


def test_credentials_stay_with_their_origin() -> None:
    """A redirect within the service is authorized anew; one that leads away never is again."""
    services = crm("auth: {hmac: {key: k}}", "headers: {X-Tenant: acme}", "tls: {verify: false}")
    answers: list[Answer] = [
        redirect("/v2/b"), redirect("https://else.example/c"), redirect("https://crm.example/d"), OK
    ]  # fmt: skip
    world = called(services, "http: GET crm:/a\nfollow_redirects: true", answers)
    signatures = [request.headers.get("X-Signature") for request in world.requests]
    assert None not in signatures[:2]
    assert signatures[0] != signatures[1]
    assert signatures[2:] == [None, None]
    at_home = [True, True, False, False]
    assert ["X-Tenant" in request.headers for request in world.requests] == at_home
    assert [request.tls is not None for request in world.requests] == at_home
    assert [request.is_guarded for request in world.requests] == [False, False, True, True]


def test_a_service_may_let_its_redirects_lead_anywhere() -> None:
    """``allow_private`` is the operator's word for them."""
    answers: list[Answer] = [redirect("http://10.0.0.7/b"), OK]
    step = "http: GET crm:/a\nfollow_redirects: true"
    world = called(crm("allow_private: true"), step, answers)
    assert [request.is_guarded for request in world.requests] == [False, False]


def test_its_own_certificates_go_to_nobody_else() -> None:
    """The TLS files of a service are used for its requests, and for no other."""
    services = crm("tls: {verify: false}")
    world = World([OK, OK], services=services)
    world.run("steps:\n  - http: GET crm:/a\n  - http: GET https://crm.example/v2/a\n")
    assert [request.tls is not None for request in world.requests] == [True, False]


def test_a_failed_request_is_repeated_as_the_service_says() -> None:
    """By the service's own policy, where the step has none."""
    services = crm("retry: {times: 2, delay: 1s, jitter: false, backoff: 3}")
    assert called(services, "http: GET crm:/a", [BUSY, BUSY, OK]).waits == [1.0, 3.0]


@pytest.mark.parametrize(
    ("retry", "step", "attempts"),
    [
        ("2", "http: POST crm:/a", 1),
        ("2", "http: POST crm:/a\nretryable: true", 3),
        ("{times: 2, idempotent: true}", "http: POST crm:/a", 3),
        ("2", "http: PUT crm:/a", 3),
        ("2", "http: GET crm:/a\nretry: 1", 2),
        ("2", "http: GET crm:/a\nretry: 0", 1),
        ("2", "http: POST crm:/a\nretry: {times: 1, idempotent: true}", 2),
    ],
)
def test_who_decides_about_repeating(retry: str, step: str, attempts: int) -> None:
    """A default never repeats what may not happen twice, and a step's own word goes over it."""
    world = World([BUSY] * 4, services=crm(f"retry: {retry}"))
    lines = step.replace("\n", "\n    ")
    with pytest.raises(FlowFailed, match="503"):
        world.run(f"steps:\n  - {lines}\n")
    assert len(world.requests) == attempts


def test_the_time_of_an_attempt_is_the_services() -> None:
    """It fails with kind ``timeout``, so it is repeated, and ``on_error`` reads it."""
    world = World([OK], services=crm("timeout: 2s", "retry: 1"), seconds_per_call=5)
    steps = """
    outputs: {kind: string}
    steps:
      - http: GET crm:/a
        on_error:
          - return: {kind: "${error.kind}"}
    """
    assert world.run(steps) == {"kind": "timeout"}
    assert [request.timeout for request in world.requests] == [2.0, 2.0]


def test_a_timeout_of_the_step_goes_over_the_services() -> None:
    """Also when it is longer."""
    world = called(crm("timeout: 2s"), "http: GET crm:/a\ntimeout: 9s", seconds_per_call=5)
    assert world.requests[0].timeout == 9.0
    with pytest.raises(FlowTimeout):
        called(crm("timeout: 1h"), "http: GET crm:/a", seconds_per_call=31)


def test_a_service_that_is_gone() -> None:
    """Its name was known when the flow was read; now the step says what to look at."""
    with pytest.raises(FlowFailed, match="there is no service `crm`; `siteswap lint` says"):
        World().run("steps:\n  - http: GET crm:/a\n")


def test_an_error_names_the_request_but_no_credential() -> None:
    """The whole address helps; what proves who we are does not."""
    services = crm("auth: {bearer: '${secrets.KEY}'}", "query: {key: '${secrets.KEY}'}")
    failure = TransportError("connection", "crm.example:443: the connection was refused")
    with pytest.raises(FlowFailed) as caught:
        called(services, "http: GET crm:/a", [failure], secrets={"KEY": "s3cret-key"})
    assert "GET https://crm.example/v2/a: crm.example:443" in caught.value.public
    assert "s3cret" not in caught.value.public
