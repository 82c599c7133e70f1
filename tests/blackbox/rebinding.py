"""The application as it is shipped, with a name server that changes its mind.

It knows ``rebinding.example`` only: the variable ``REBINDING`` holds its addresses, one for each
look-up, and the file ``lookups`` gets a line for each. Other names are the system's to know.
"""

from __future__ import annotations

import os
import socket
from itertools import chain, repeat
from pathlib import Path

from app import create_app
from app.http.client.connection import AddressInfo, resolve

NAME = "rebinding.example"
LOOKUPS = Path("lookups")
_addresses = os.environ["REBINDING"].split(",")
_answers = chain(_addresses, repeat(_addresses[-1]))


def _resolve(host: str, port: int) -> list[AddressInfo]:
    if host != NAME:
        return resolve(host, port)
    with LOOKUPS.open("a") as file:
        file.write(f"{host}\n")
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (next(_answers), port))]


app = create_app(resolve=_resolve)
