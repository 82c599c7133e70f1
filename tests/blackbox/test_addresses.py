"""Where data may lead a flow: nowhere but to public addresses, by whatever way it tries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.runs.callback import delivery_id
from tests.blackbox.client import Answer, eventually
from tests.blackbox.server import Server, prepare_folder
from tests.blackbox.test_run_commands import siteswap_runs
from tests.downstream import Downstream, redirect
from tests.transports.hostile import LOOPBACK_SPELLINGS, NO_HOST, PRIVATE
from tests.transports.servers import answer

PUBLIC = "127.0.0.99"
"""Stands for a public address: the packets of a test stay on this machine."""
NAME, LOOKUPS = "rebinding.example", "lookups"
"""What ``tests/blackbox/rebinding.py`` knows and writes."""
NO_KEEPING = answer(b"1", "Connection: close\r\n")


@pytest.fixture(scope="module")
def guarding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose name server rebinds, and to which one address of this machine is public."""
    folder = tmp_path_factory.mktemp("guarding")
    prepare_folder(folder)
    settings = {
        "WEB_CONCURRENCY": "1",
        "SITESWAP_PRIVATE_NETWORKS": PUBLIC,
        "SITESWAP_SECRET_API_KEY": "key",
        "REBINDING": f"{PUBLIC},127.0.0.1",
    }
    server = Server(folder, settings, ["tests.blackbox.rebinding:app"])
    try:
        server.wait_until_ready(1)
        yield server
    finally:
        server.stop()
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def inside() -> Iterator[Downstream]:
    """A server on this machine, which data must not reach."""
    with Downstream() as inside:
        yield inside
        assert inside.accepted == 0


def written(server: Server, key: str, text: str, **inputs: str) -> Answer:
    """What a flow answers that is written now, once it is served."""
    server.write_flow(key, text)
    return eventually(lambda: server.client.trigger(key, **inputs), lambda a: a.status != 404)


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
def test_this_machine(guarding: Server, inside: Downstream, host: str) -> None:
    """No spelling of it is called: refused, or no name that anybody knows."""
    found = guarding.client.trigger("fetch", url=f"http://{host}:{inside.port}/")
    assert found.outcome == (500, 1)
    assert "may not lead to" in found.message or "host name not found" in found.message


@pytest.mark.parametrize("host", PRIVATE)
def test_other_private_addresses(guarding: Server, host: str) -> None:
    """Cloud metadata, the machines next door: the answer says the setting that would open them."""
    found = guarding.client.trigger("fetch", url=f"http://{host}/latest/meta-data/")
    assert "may not lead to" in found.message
    assert "SITESWAP_PRIVATE_NETWORKS" in found.message


@pytest.mark.parametrize("host", NO_HOST)
def test_what_is_no_host(guarding: Server, host: str) -> None:
    """What readers of urls disagree about is refused."""
    found = guarding.client.trigger("fetch", url=f"http://{host}/")
    assert found.outcome == (500, 1)
    assert "the URL" in found.message


@pytest.mark.parametrize(
    "url", ["/example/user/getUserById", "//127.0.0.1/", "file:///etc/passwd", "gopher://h/"]
)
def test_what_is_no_url_of_another_machine(guarding: Server, url: str) -> None:
    """Data cannot name a path of this application either, nor another scheme."""
    found = guarding.client.trigger("fetch", url=url)
    assert found.outcome == (500, 1)
    assert "this very application" in found.message or "does not begin with" in found.message


def test_a_value_in_the_place_of_a_host(guarding: Server, inside: Downstream) -> None:
    """The same holds where the flow gives the scheme and the path."""
    text = "inputs: {host: string}\nsteps:\n  - http: GET http://${inputs.host}/a\n"
    host = f"127.0.0.1:{inside.port}"
    assert "may not lead to" in written(guarding, "hosted", text, host=host).message
    found = guarding.client.trigger("hosted", host=f"{host}/?")
    assert "in the place of its host holds '/'" in found.message


def test_what_the_operator_wrote_is_not_guarded(guarding: Server) -> None:
    """A literal host may be anywhere, whatever stands behind it."""
    with Downstream() as near:
        text = f"inputs: {{id: string}}\nsteps:\n  - http: GET {near.url}/a/${{inputs.id}}\n"
        assert written(guarding, "literal", text, id="b/c").status == 200
        assert near.lines == ["GET /a/b%2Fc"]


def test_a_kind_of_its_own_that_is_not_retried(guarding: Server) -> None:
    """A flow can tell its caller; trying again would change nothing."""
    text = """\
inputs: {url: string}
outputs: {kind: string}
steps:
  - http: GET ${inputs.url}
    retry: {times: 5, delay: 1m}
    on_error:
      - return: {kind: "${error.kind}"}
"""
    found = written(guarding, "told", text, url="http://localhost/")
    assert found.data == {"kind": "address"}
    assert found.seconds < 5


def test_a_rebinding_name_server(guarding: Server, inside: Downstream) -> None:
    """One look-up a connection, and what it says is checked and called: there is no second one."""
    lookups = guarding.folder / LOOKUPS
    with Downstream(NO_KEEPING, host=PUBLIC) as outside:
        assert guarding.client.trigger("fetch", url=f"http://{NAME}:{outside.port}/").status == 200
    assert lookups.read_text().splitlines() == [NAME]
    found = guarding.client.trigger("fetch", url=f"http://{NAME}:{inside.port}/")
    assert f"{NAME}:{inside.port}: a url that depends on data may not lead to 127.0.0.1" in (
        found.message
    )
    assert lookups.read_text().splitlines() == [NAME] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "[::1]", "[::ffff:7f00:1]"])
def test_a_redirect_inside(guarding: Server, inside: Downstream, host: str) -> None:
    """Each hop is checked, the second like the first."""
    last = redirect("302 Found", f"http://{host}:{inside.port}/")
    with (
        Downstream(last, host=PUBLIC) as second,
        Downstream(redirect("307 Temporary Redirect", second.url), host=PUBLIC) as first,
    ):
        found = guarding.client.trigger("follower", url=first.url)
        assert (first.accepted, second.accepted) == (1, 1)
    assert "may not lead to" in found.message


def test_a_redirect_of_an_operators_server(guarding: Server, inside: Downstream) -> None:
    """It may send a flow on within itself, but not elsewhere inside: its answer is data."""
    within = redirect("302 Found", "/there")
    elsewhere = redirect("302 Found", inside.url)
    with Downstream(within, elsewhere) as near:
        text = f"steps:\n  - http: GET {near.url}/here\n    follow_redirects: true\n"
        found = written(guarding, "sent", text)
        asked = [each.partition(b" HTTP")[0] for each in near.requests]
        assert asked == [b"GET /here", b"GET /there"]
    assert "may not lead to 127.0.0.1" in found.message


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("//127.0.0.1:{}/", "may not lead to 127.0.0.1"),
        ("http:\\\\127.0.0.1:{}/", "more than 5 redirects"),
        ("http://h@127.0.0.1:{}/", "user name"),
        ("file:///etc/passwd", "not HTTP"),
        ("gopher://127.0.0.1:{}/", "not HTTP"),
        ("http:///127.0.0.1:{}/", "more than 5 redirects"),
    ],
)
def test_a_redirect_to_what_looks_like_something_else(
    guarding: Server, inside: Downstream, location: str, words: str
) -> None:
    """A location is read strictly: it is refused, or a path of the server that gave it."""
    with Downstream(redirect("302 Found", location.format(inside.port)), host=PUBLIC) as first:
        found = guarding.client.trigger("follower", url=first.url)
    assert found.outcome == (500, 1)
    assert words in found.message


TELLING = """\
mode: async
callback: {{url: "{}"}}
inputs: {{url: {{type: string, default: ""}}}}
steps:
  - set: {{a: 1}}
"""


def test_a_callback_that_data_chose(guarding: Server, inside: Downstream) -> None:
    """Its delivery fails at once, and says why to who looks."""
    text = TELLING.format("${inputs.url}")
    found = written(guarding, "telling_data", text, url=inside.url)
    guarding.client.ended(found.run_id)
    end = guarding.client.ended(delivery_id(found.run_id))
    assert "may not lead to 127.0.0.1" in end.message
    refused = guarding.client.trigger("telling_data", url="/example/user/getUserById")
    assert refused.outcome[0] == 400
    assert "callback" in refused.message


def test_a_callback_that_the_flow_chose(guarding: Server) -> None:
    """A literal host is told wherever it is; also when the delivery is run again."""
    with Downstream() as near:
        found = written(guarding, "telling_near", TELLING.format(near.url + "/told/${inputs.url}"))
        guarding.client.ended(found.run_id)
        delivery = delivery_id(found.run_id)
        assert guarding.client.ended(delivery).status == 200
        assert near.lines[-1] == "POST /told/"
        again = siteswap_runs(guarding, "retry", delivery).strip()
        assert guarding.client.ended(again).status == 200
        assert len(near.requests) == 2
        assert near.requests[0].json["success"] is True


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\rb", "a\0b", "a\x1bb", "a\x7f"])
def test_a_header_value_cannot_add_a_header(guarding: Server, value: str) -> None:
    """A control character is an error of the step, here and on other machines."""
    text = """\
inputs: {value: string}
steps:
  - http: GET /example/user/getUserById
    headers: {X-Note: "${inputs.value}"}
"""
    found = written(guarding, "noted", text, value=value)
    assert found.outcome == (500, 1)
    assert "the header 'X-Note' holds a control character" in found.message


def test_control_characters_in_queries_and_forms_are_encoded(guarding: Server) -> None:
    """They stay a value."""
    with Downstream() as near:
        text = f"""\
inputs: {{value: string}}
steps:
  - http: POST {near.url}/
    query: {{q: "${{inputs.value}}"}}
    form: {{f: "${{inputs.value}}"}}
"""
        assert written(guarding, "encoded", text, value="a\r\nX: 1").status == 200
        assert near.lines == ["POST /?q=a%0D%0AX%3A+1"]
        assert near.requests[0].endswith(b"\r\n\r\nf=a%0D%0AX%3A+1")
