"""A script for wrk that paces its clients: they ask for paths in turn, and pause in between."""

from __future__ import annotations

import json
from collections.abc import Sequence

# wrk calls delay() before each request of a connection, and request() for what to send.
_REQUEST = """\
local paths = {PATHS}
local asked = 0

function request()
  asked = asked + 1
  return wrk.format("GET", paths[asked % #paths + 1])
end
"""

_DELAY = """
local pauses = 0

function delay()
  pauses = pauses + 1
  -- They did not all begin in the same moment.
  return pauses <= CONNECTIONS and math.random(0, PAUSE) or PAUSE
end
"""


def script(paths: Sequence[str], *, connections: int, pause_ms: int) -> str:
    """Lua text for so many connections; with no pause, each asks again as soon as it can.

    Paths are ASCII. Whoever pauses began at a moment of its own within the first pause.
    """
    text = _REQUEST.replace("PATHS", ", ".join(map(json.dumps, paths)))
    if pause_ms:
        text += _DELAY.replace("CONNECTIONS", str(connections)).replace("PAUSE", str(pause_ms))
    return text
