"""Which URLs can be sent, and as what."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.http.message import TransportError
from app.http.url import split_url


@pytest.mark.parametrize(
    ("url", "place", "authority", "target"),
    [
        ("http://a.example", "a.example:80", "a.example", "/"),
        ("HTTPS://A.Example/", "a.example:443", "a.example", "/"),
        ("http://a.example:8080/b?c=d#e", "a.example:8080", "a.example:8080", "/b?c=d"),
        ("http://a.example:/b", "a.example:80", "a.example", "/b"),
        ("http://a.example?c=d", "a.example:80", "a.example", "/?c=d"),
        ("http://a.example#?c", "a.example:80", "a.example", "/"),
        ("http://127.0.0.1:1/", "127.0.0.1:1", "127.0.0.1:1", "/"),
        ("http://[::1]:81/", "[::1]:81", "[::1]:81", "/"),
        ("https://[2001:DB8:0::1]/", "[2001:db8::1]:443", "[2001:db8::1]", "/"),
        ("http://bücher.example/", "xn--bcher-kva.example:80", "xn--bcher-kva.example", "/"),
        ("http://my_host/张 三?q=é", "my_host:80", "my_host", "/%E5%BC%A0%20%E4%B8%89?q=%C3%A9"),
        ("http://a/%41%zz?b=c%20d+e", "a:80", "a", "/%41%zz?b=c%20d+e"),
        ('http://a/"<>\\^`{|}[]', "a:80", "a", "/%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D"),
        ("http://a//b/../c", "a:80", "a", "//b/../c"),
    ],
)
def test_a_url_is_split(url: str, place: str, authority: str, target: str) -> None:
    """Origin and target come out; what a target may not hold is percent-encoded."""
    origin, got = split_url(url)
    assert (origin.place, origin.authority, got) == (place, authority, target)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "not of the form"),
        ("a.example/b", "not of the form"),
        ("//a.example/b", "not of the form"),
        ("http:/a.example", "not of the form"),
        ("http://a.example/\r\nX: y", "control characters"),
        ("http://a.example/\x00", "control characters"),
        ("http://a\t.example/", "control characters"),
        ("ftp://a.example/", "the URL's scheme is 'ftp'"),
        ("file:///etc/passwd", "the URL's scheme is 'file'"),
        ("http://user:secret@a.example/", "write an Authorization header instead"),
        ("http://a.example:0/", "port 0 is not between"),
        ("http://a.example:65536/", "port 65536 is not between"),
        ("http://a.example:8x/", "not of the form host:port"),
        ("http://a:b:c/", "not of the form host:port"),
        ("http:///a", "the URL's host '' is not"),
        ("http://a..b/", "is not a host name"),
        ("http://a b/", "is not a host name"),
        ("http://a%2eb/", "is not a host name"),
        ("http://a\\@b/", "user name"),
        ("http://" + "a" * 64 + "/", "is not a host name"),
        ("http://" + "a." * 127 + "ab/", "is not a host name"),
        ("http://" + "ü" * 80 + "/", "is not a host name"),
        ("http://[::1/", "not of the form host:port"),
        ("http://[::g]/", "is not an IPv6 address"),
        ("http://[fe80::1%25eth0]/", "not of the form host:port"),
        ("http://a/\ud800", "half a character"),
    ],
)
def test_a_url_is_refused(url: str, sentence: str) -> None:
    """The sentence says what is wrong, without what may be secret."""
    with pytest.raises(TransportError) as caught:
        split_url(url)
    assert caught.value.kind == "request"
    assert sentence in caught.value.message
    assert "secret" not in caught.value.message


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ahtp:/?#@[]\\%.0-9é\ud800\r\n \t") | st.text())
def test_any_text_is_split_or_refused(text: str) -> None:
    """Whatever comes out can stand in a request line."""
    with suppress(TransportError):
        _, target = split_url("http://a" + text)
        assert target.isascii()
        assert target.isprintable()
        assert " " not in target
