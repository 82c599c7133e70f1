"""The last bound of a wait on a socket: when its time is over, the socket is shut down."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cut_off(descriptor: int, seconds: float) -> Iterator[None]:
    """Shut the socket down if the block takes longer than ``seconds``.

    Whoever waits for it then meets its end, whatever library reads it and whoever is silent at the
    other side. The descriptor may be closed or wrapped in TLS meanwhile.
    """
    wire = socket.socket(fileno=os.dup(descriptor))
    timer = threading.Timer(max(0.0, seconds), _shut_down, [wire])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        wire.close()


def _shut_down(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
