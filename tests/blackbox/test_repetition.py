"""Redirects and retries: what is sent again, where to, and what is not."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from tests.blackbox.client import Client
from tests.blackbox.server import API_KEY
from tests.downstream import Downstream, redirect
from tests.transports import servers as downstreams
from tests.transports.servers import answer, closing_after

BUSY = answer(b"", "Retry-After: 1\r\n", "503 Busy")
CREDENTIALS = {"authorization", "x-api-key", "cookie"}


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
def test_a_redirect_is_not_followed(client: Client, status: str) -> None:
    """Nothing is called that the step does not name."""
    with Downstream() as other, Downstream(redirect(status, other.url)) as first:
        found = client.trigger("fetch", url=first.url)
        assert (len(first.requests), len(other.requests)) == (1, 0)
    assert found.outcome == (500, 1)
    assert f"redirects ({status[:3]}) to {other.url}" in found.message


def test_a_redirect_is_followed(client: Client) -> None:
    """A step that says so follows, and on the same origin keeps its headers."""
    with Downstream(redirect("302 Found", "/elsewhere?a=1#b"), answer(b"1")) as first:
        assert client.trigger("follower", url=first.url + "/start").data == {"status": 200}
        assert [each.split()[1] for each in first.requests] == [b"/start", b"/elsewhere?a=1"]
        assert first.requests[-1].headers.keys() >= CREDENTIALS


def test_a_long_location(client: Client) -> None:
    """A signed url of some kilobytes is followed whole."""
    target = "/" + "a" * 5000
    with Downstream(redirect("302 Found", target), answer(b"1")) as first:
        assert client.trigger("follower", url=first.url).data == {"status": 200}
        assert first.requests[1].split()[1].decode() == target


def test_credentials_stay_with_their_origin(client: Client) -> None:
    """Another port is another origin: none of the credentials goes there."""
    with Downstream() as other, Downstream(redirect("302 Found", other.url + "/x")) as first:
        assert client.trigger("follower", url=first.url).data == {"status": 200}
        assert first.requests[-1].headers.keys() >= CREDENTIALS
        assert other.requests[-1].headers.keys().isdisjoint(CREDENTIALS)
        assert API_KEY.encode() not in other.requests[0]
        assert "accept" in other.requests[-1].headers


def test_credentials_do_not_come_back(client: Client) -> None:
    """A way over another origin back to the first is no way home for credentials."""
    with Downstream() as first, Downstream(redirect("302 Found", first.url + "/back")) as other:
        with Downstream(redirect("302 Found", other.url)) as start:
            assert client.trigger("follower", url=start.url).data == {"status": 200}
        assert first.requests[-1].headers.keys().isdisjoint(CREDENTIALS)


def test_redirects_without_end(client: Client) -> None:
    """Five are followed."""
    with Downstream(redirect("302 Found", "/again")) as first:
        found = client.trigger("follower", url=first.url)
        assert len(first.requests) == 6
    assert "more than 5 redirects" in found.message


@pytest.mark.parametrize("location", ["file:///etc/passwd", "gopher://a/", "http://[", "//"])
def test_a_redirect_to_nowhere(client: Client, location: str) -> None:
    """A location that is no http url is an error of the step."""
    with Downstream(redirect("302 Found", location)) as first:
        found = client.trigger("follower", url=first.url)
    assert found.outcome == (500, 1)
    assert found.message.startswith("系统错误: step `call`: ")
    assert "internal error" not in found.message


def test_a_redirect_into_this_application(client: Client) -> None:
    """No downstream can make a flow call the application from within."""
    with Downstream(redirect("302 Found", "/example/user/getUserById")) as first:
        found = client.trigger("follower", url=first.url)
        assert len(first.requests) == 6
    assert found.outcome == (500, 1)


@pytest.mark.parametrize(
    ("status", "method"),
    [("301 Moved", b"GET"), ("303 See", b"GET"), ("307 Temp", b"POST"), ("308 Perm", b"POST")],
)
def test_a_redirected_post(client: Client, status: str, method: bytes) -> None:
    """It becomes a GET without a body, or stays what it was, by its status."""
    with Downstream(redirect(status, "/x"), answer(b"1")) as first:
        assert client.trigger("poster", url=first.url).data == {"status": 200}
        assert first.requests[1].startswith(method + b" /x ")
        assert first.requests[1].endswith(b'{"pin":"four-digits"}') == (method == b"POST")


def test_a_body_stays_with_its_origin(client: Client) -> None:
    """A POST that would be repeated at another origin is an error of the step."""
    with Downstream() as other, Downstream(redirect("307 Temp", other.url)) as first:
        found = client.trigger("poster", url=first.url)
        assert other.requests == []
    assert "which the body is not sent to" in found.message


def test_a_retry_waits_as_long_as_it_is_told(client: Client) -> None:
    """``Retry-After`` in seconds is the least to wait before the next attempt."""
    with Downstream(BUSY, answer(b"1")) as busy:
        found = client.trigger("persistent", url=busy.url)
        assert len(busy.requests) == 2
    assert found.data == {"status": 200}
    assert found.seconds >= 1


def test_a_retry_waits_until_a_date(client: Client) -> None:
    """``Retry-After`` may be a date; one that is past asks for no wait."""
    past = answer(b"", f"Retry-After: {formatdate(time.time() - 9, usegmt=True)}\r\n", "503 Busy")
    with Downstream(past, answer(b"1")) as busy:
        found = client.trigger("persistent", url=busy.url)
    assert found.data == {"status": 200}
    assert found.seconds < 1


def test_a_wait_beyond_the_deadline_is_not_begun(client: Client) -> None:
    """A server that says "in an hour" is not waited for."""
    with Downstream(answer(b"", "Retry-After: 3600\r\n", "503 Busy")) as busy:
        found = client.trigger("persistent", url=busy.url)
        assert len(busy.requests) == 1
    assert "answered 503" in found.message
    assert found.seconds < 2


@pytest.mark.parametrize("status", ["429 Slow", "502 Bad", "503 Busy", "504 Late"])
def test_what_is_retried(client: Client, status: str) -> None:
    """A GET is repeated as often as the step says, then the last failure stands."""
    with Downstream(answer(status=status)) as busy:
        found = client.trigger("persistent", url=busy.url)
        assert len(busy.requests) == 3
    assert f"answered {status[:3]}" in found.message


@pytest.mark.parametrize("status", ["400 Bad", "404 Not Found", "500 Oh", "501 No"])
def test_what_is_not_retried(client: Client, status: str) -> None:
    """A failure that the next attempt would meet again stands at once."""
    with Downstream(answer(status=status)) as broken:
        client.trigger("persistent", url=broken.url)
        assert len(broken.requests) == 1


def test_a_connection_that_breaks_is_retried(client: Client) -> None:
    """So is a failure to connect, or to stay connected."""
    with downstreams.Server(closing_after(b"")) as broken:
        found = client.trigger("persistent", url=broken.url)
        assert broken.accepted == 3
    assert "connection was closed" in found.message


def test_a_post_is_not_repeated(client: Client) -> None:
    """Neither a failure nor a broken connection sends a POST twice."""
    with Downstream(BUSY) as busy:
        assert client.trigger("unrepeated", url=busy.url).outcome == (500, 1)
        assert len(busy.requests) == 1
    with downstreams.Server(closing_after(b"")) as broken:
        assert client.trigger("unrepeated", url=broken.url).outcome == (500, 1)
        assert broken.accepted == 1


def test_a_post_is_repeated_where_the_step_allows_it(client: Client) -> None:
    """A step that says ``idempotent`` is taken at its word."""
    with Downstream(answer(status="502 Bad"), answer(b"1")) as broken:
        assert client.trigger("repeated", url=broken.url).data == {"status": 200}
        assert [each[:4] for each in broken.requests] == [b"POST", b"POST"]
