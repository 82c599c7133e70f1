"""Which requests are guarded: those whose host a caller or another server chose."""

from __future__ import annotations

import pytest

from app.engine.interpreter import Interpreter
from app.errors import FlowFailed
from app.http.message import Response
from app.language.inputs import coerce
from tests.engine.world import World, json_answer, program

FOLLOWING = """
inputs: {url: {type: string, default: ""}}
steps:
  - http: GET <url>
    follow_redirects: true
"""


def redirect(url: str) -> Response:
    """An answer that leads elsewhere."""
    return Response(302, {"location": url}, b"")


def guarded(start: str, *locations: str, url: str = "") -> list[bool]:
    """Whether each request was guarded of a step that starts there and is redirected."""
    world = World([*map(redirect, locations), json_answer("{}")])
    world.run(FOLLOWING.replace("<url>", start), url=url)
    return [request.is_guarded for request in world.requests]


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        ([], [False]),
        (["/b", "c", "https://crm.example/d", "//crm.example:443/e"], [False] * 5),
        (["https://crm.example.evil/"], [False, True]),
        (["http://crm.example/a"], [False, True]),
        (["https://crm.example:8443/a"], [False, True]),
        (["https://evil.example/", "https://crm.example/"], [False, True, True]),
    ],
)
def test_what_the_flow_chose_is_free_until_an_answer_leads_away(
    locations: list[str], expected: list[bool]
) -> None:
    """Another origin is the answer's choice, and so is all that follows, the way back included."""
    assert guarded("https://crm.example/a", *locations) == expected


def test_what_data_chose_is_guarded_on_every_hop() -> None:
    """Also where it stays with the same server."""
    assert guarded("${inputs.url}", "/b", url="https://crm.example/") == [True, True]


def test_a_redirect_of_this_application() -> None:
    """To itself it is free; to another server it is guarded."""
    assert guarded("/a", "/b", "c") == [False] * 3
    assert guarded("/a", "https://crm.example/") == [False, True]


def test_a_redirect_of_this_application_names_a_scheme() -> None:
    """`//host/` takes the scheme of the page it stands on, and here there is none."""
    with pytest.raises(FlowFailed, match="not HTTP"):
        guarded("/a", "//crm.example/")


def test_a_run_whose_urls_the_operator_chose_is_free_on_every_hop() -> None:
    """So are the deliveries of callbacks whose address stands in the flow."""
    world = World([redirect("http://10.0.0.1/"), json_answer("{}")])
    flow = program(FOLLOWING.replace("<url>", "${inputs.url}"))
    inputs = coerce(flow.flow.inputs, {"url": "http://127.0.0.1/"})
    Interpreter(world.dependencies).run(
        flow, inputs, {}, "async_0123456789abcdef", allows_private=True
    )
    assert [request.is_guarded for request in world.requests] == [False, False]
