"""A request that cannot be read to its end: raised by the server, answered by whoever reads."""

from __future__ import annotations


class RefusalError(Exception):
    """The HTTP status and the sentence to answer with; nothing in it was sent by the client.

    Not an ``OSError`` or ``ValueError``: werkzeug would make a 400 without a reason of these.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
