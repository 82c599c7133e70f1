"""The tokens file: what it may hold, and what is said of the rest."""

from __future__ import annotations

import pytest

from app.config.tokens import MAX_BYTES, Token, TokenError, read_tokens

DIGEST = "0123456789" * 6 + "abcd"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "tokens:\n", "tokens: []\n"])
def test_a_file_may_hold_no_token(text: str) -> None:
    """Nothing, or a key with nothing, is no tokens."""
    assert read_tokens(text.encode()) == ()


def test_a_file_may_be_written_by_hand() -> None:
    """Bare dates and digests of digits alone mean what they look like."""
    text = f"tokens: [{{name: 1, sha256: {'1' * 64}, flows: [a_*], expires: 2030-01-31}}]"
    assert read_tokens(text.encode()) == (Token("1", "1" * 64, ("a_*",), expires=1_896_134_400.0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "the file is not a mapping with the key tokens"),
        ("[a]", "the file is not a mapping with the key tokens"),
        ("x: 1\ntokens: []", "x is not a key of this file; it has one, tokens"),
        ("tokens: a", "the file is not a list of tokens"),
        ("tokens: [a]", "token 1 is not a mapping"),
        (f"tokens: [{{sha256: {DIGEST}}}]", "token 1, name is missing"),
        (f"tokens: [{{name: a b, sha256: {DIGEST}}}]", "token 1, name is not a name such as"),
        ("tokens: [{name: a}]", "token 1, sha256 is missing"),
        (f"tokens: [{{name: a, sha256: {DIGEST.upper()}}}]", "token 1, sha256 is not the 64 hex"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, flows: b}}]", "token 1, flows is not a list"),
        (f"tokens: [{{name: a, sha256: {DIGEST}, flows: [b c]}}]", "token 1, flows is not a list"),
        (
            f"tokens: [{{name: a, sha256: {DIGEST}, expires: soon}}]",
            "token 1, expires is not a date",
        ),
        (f"tokens: [{{name: a, sha256: {DIGEST}, S3CRET: 1}}]", "token 1, some key is not a key"),
        (
            f"tokens: [{{name: a, sha256: {DIGEST}}}, {{name: a, sha256: {'0' * 64}}}]",
            "token 2 has the same name as one before it",
        ),
        (
            f"tokens: [{{name: a, sha256: {DIGEST}}}, {{name: b, sha256: {DIGEST}}}]",
            "token 2 has the same sha256 as one before it",
        ),
        ("tokens: [*]", "line 1: this is not YAML"),
        ("a: 1\n--- b", "line 2: this is not YAML"),
        ("[" * 5_000, "the file is nested too deep"),
        ("#" * (MAX_BYTES + 1), f"the file is larger than {MAX_BYTES} bytes"),
    ],
)
def test_a_mistake_in_the_file_is_a_sentence(text: str, message: str) -> None:
    """It names the place; it is never a traceback."""
    with pytest.raises(TokenError) as caught:
        read_tokens(text.encode())
    assert message in caught.value.message.splitlines()[0]


def test_a_file_that_is_not_text_is_refused() -> None:
    """UTF-16 is not read as something else."""
    with pytest.raises(TokenError, match="not UTF-8"):
        read_tokens("tokens: []".encode("utf-16"))
