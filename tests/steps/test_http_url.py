"""Urls made of values: no value leaves the place where the flow puts it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.http.message import TransportError
from app.http.url import split_url
from app.language.url import InvalidUrl, parse_url
from tests.expression.scopes import FixedScope

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8) | st.text(
    st.sampled_from("a1.%2eE/\\?#@:&=;+ \t\n\0[]é。．／＠"), max_size=8
)


def url(template: str, value: Any = "", **inputs: Any) -> str:
    """What a template gives with these inputs; ``${…}`` stands for ``${inputs.x}``."""
    scope: Any = FixedScope(inputs={"x": value, **inputs})
    return parse_url(template.replace("${…}", "${inputs.x}")).make(scope)


def refusal(template: str, value: Any, **inputs: Any) -> str:
    """The message with which a template refuses a value."""
    with pytest.raises(InvalidUrl) as caught:
        url(template, value, **inputs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("https://h/a/${…}/b", "c d/e?f#g", "https://h/a/c%20d%2Fe%3Ff%23g/b"),
        ("https://h/a?q=${…}&r=1", "b&c=d#e+f", "https://h/a?q=b%26c%3Dd%23e%2Bf&r=1"),
        ("https://h?q=${…}", "/", "https://h?q=%2F"),
        ("https://h/a#${…}", "b", "https://h/a"),
        ("https://h/a#b", "", "https://h/a"),
        ("/a/${…}?b=${…}", "c/d", "/a/c%2Fd?b=c%2Fd"),
        ("https://h/${…}", "caf%C3%A9", "https://h/caf%25C3%25A9"),
        ("https://h/${…}", 12, "https://h/12"),
        ("https://h/${…}", True, "https://h/true"),
        ("https://h/$${a}/${…}", "b", "https://h/${a}/b"),
        ("https://h/a/../${…}", "b", "https://h/a/../b"),
        ("https://h/${…}", "...", "https://h/..."),
        ("https://h/?x=/${…}", "..", "https://h/?x=/.."),
        ("https://${…}/a", "api.example.com:8443", "https://api.example.com:8443/a"),
        ("https://${…}/a", "[2001:db8::1]", "https://[2001:db8::1]/a"),
        ("https://h:${…}/a", 8443, "https://h:8443/a"),
        ("https://api-${…}.example.com/a", "eu", "https://api-eu.example.com/a"),
        ("${…}", "HTTPS://h/a?b=%20#c", "HTTPS://h/a?b=%20"),
        ("${…}/a/${inputs.y}", "https://h/v1", "https://h/v1/a/c%2Fd"),
        ("${…}://h/a", "http", "http://h/a"),
    ],
)
def test_a_value_is_written_for_its_place(template: str, value: Any, expected: str) -> None:
    """Path, query and fragment are percent-encoded; a host and a whole url stay as they are."""
    assert url(template, value, y="c/d") == expected


@pytest.mark.parametrize(
    "value", ["a/b", "a?b", "a#b", "u@h", "h\\@x", "a b", "a\r\nb", "h%2f", "\x85"]
)
@pytest.mark.parametrize(
    "template", ["https://${…}/p", "https://a${…}", "https://h:${…}?q", "${inputs.s}://${…}/"]
)
def test_a_value_cannot_end_the_host(template: str, value: str) -> None:
    """What could begin a path, a query or a user name is refused where a host stands."""
    assert "in the place of its host holds" in refusal(template, value, s="https")


@pytest.mark.parametrize(
    "value",
    ["ftp://h/", "file:///etc/passwd", "h/a", "", "javascript:1", " https://h", "http:h", 5],
)
def test_a_whole_url_is_http(value: Any) -> None:
    """A value that is the beginning of a url says http or https."""
    assert "does not begin with http:// or https://" in refusal("${…}", value)
    assert "does not begin with http:// or https://" in refusal("${…}/a", value)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("https://h/a/${…}/b", ".."),
        ("https://h/a/${…}", "."),
        ("/a/${…}?q=1", ".."),
        ("https://h/a/.${…}/b", "."),
        ("https://h/a/${…}${…}/b", "."),
        ("https://h/a/.${…}/b", ""),
        ("https://h/a/%2${…}./b", "e"),
        ("${inputs.base}/${…}", ".."),
    ],
)
def test_a_value_cannot_climb(template: str, value: str) -> None:
    """A value that would be `.` or `..` in the path is refused: servers walk up for it."""
    assert "would climb" in refusal(template, value, base="https://h/a/..")


@pytest.mark.parametrize("value", [None, [], {}])
@pytest.mark.parametrize("template", ["https://h/${…}", "https://${…}/"])
def test_only_scalars_stand_in_a_url(template: str, value: Any) -> None:
    """A list, an object and null have no text."""
    assert "where text belongs" in refusal(template, value)


def test_half_a_character_is_refused() -> None:
    """A lone surrogate, as JSON can hold it, has no UTF-8."""
    assert "half a character" in refusal("https://h/${…}", "\ud800")


@pytest.mark.parametrize("template", ["${env.BASE}${inputs.x}", "${env.BASE}.corp.${inputs.x}/a"])
def test_what_follows_the_beginning_of_a_url_says_what_it_is(template: str) -> None:
    """`${base}${path}` could move the host: lint asks for a `/` between them."""
    with pytest.raises(ValidationError) as caught:
        parse_url(template)
    (found,) = caught.value.messages
    assert (found.code, found.offset, found.length) == ("bad-url", template.index("${i"), 11)


@pytest.mark.parametrize(
    ("template", "depends"),
    [
        ("https://h/${inputs.x}", False),
        ("https://h?${inputs.x}", False),
        ("/a/${inputs.x}", False),
        ("/${inputs.x}", False),
        ("https://${env.HOST}/${inputs.x}", False),
        ("${env.BASE}/${inputs.x}", False),
        ("${secrets.BASE}?q=${inputs.x}", False),
        ("https://${flow.key}.h/", False),
        ("https://${uuid()}.h/", False),
        ("https://${inputs.x}/", True),
        ("https://${request.headers.host}/", True),
        ("https://h:${vars.port}/", True),
        ("https://a${item}.h", True),
        ("https://${index}.h/", True),
        ("${error.message}", True),
        ("${steps.a.body.next}", True),
        ("${inputs.scheme}://h/", True),
        ("${env.BASE + inputs.x}", True),
        ("${env[inputs.x]}/", True),
        ("${[item.url for item in inputs.list][0]}", True),
        ("https://${env.HOST}:${inputs.x}/", True),
    ],
)
def test_a_host_depends_on_data_or_not(template: str, depends: bool) -> None:
    """The flow's text alone says whether a caller or another server can choose the host."""
    assert parse_url(template).depends_on_data is depends


TEMPLATES = [
    "https://h:81/a/{}/b",
    "https://h/{}",
    "http://h/a{}b/{}",
    "http://h/{}{}/c?d={}#{}",
    "https://h?{}={}",
    "https://h/a/.{}",
    "https://h/a/%2{}/c",
    "https://h#{}",
]


@given(st.sampled_from(TEMPLATES), TEXTS, TEXTS)
def test_no_value_changes_who_is_asked_for_how_deep_a_path(
    template: str, first: str, second: str
) -> None:
    """Any values: the origin and the number of segments and parameters are the template's own."""
    holes = ["${inputs.x}", "${inputs.y}", "${inputs.x}", "${inputs.y}"]
    try:
        made = url(template.format(*holes), first, y=second)
    except InvalidUrl:
        bad = re.compile(r"[\ud800-\udfff]")
        is_bad = bad.search(first + second) or {first, second} & {"", ".", "..", "e", "E"}
        assert is_bad, "a value was refused for no reason"
        return
    origin, target = split_url(made)
    wanted, outline = split_url(template.replace("{}", "x"))
    assert origin == wanted
    for mark in "/?&=;":
        assert target.count(mark) == outline.count(mark)
    path = re.sub("%2e", ".", target.partition("?")[0], flags=re.IGNORECASE)
    assert not {".", ".."} & set(path.split("/"))


@given(TEXTS)
def test_a_value_in_a_path_arrives_as_it_is(value: str) -> None:
    """What a server decodes is the value, percent signs and all."""
    try:
        made = url("https://h/a${…}", value)
    except InvalidUrl:
        assert re.search(r"[\ud800-\udfff]", value)
        return
    assert made == "https://h/a" + quote(value.encode(), safe="")


@given(TEXTS)
def test_a_value_in_the_place_of_a_host_stays_there(value: str) -> None:
    """Any value: the path is the template's, and the host ends as the template says."""
    try:
        origin, target = split_url(url("https://${…}.example.com/a", value))
    except (InvalidUrl, TransportError):
        return
    assert target == "/a"
    assert origin.host.endswith(".example.com")
    assert origin.port == 443
