"""The offload: native threads for greenlets, and nothing at all for ordinary threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from app.native_threads import direct, native_offload

PATCHED = """
from gevent import get_hub
from gevent.monkey import get_original
from app.native_threads import direct, native_offload
get_ident = get_original("threading", "get_ident")
here, there = get_ident(), native_offload(2)(get_ident)
print(native_offload(2) is direct, here == there)
"""


def test_nothing_is_offloaded_in_an_unpatched_process() -> None:
    """Without gevent a call runs where it is made."""
    assert native_offload(2) is direct
    assert direct(threading.current_thread) is threading.current_thread()


def test_a_patched_process_gets_native_threads(tmp_path: Path) -> None:
    """Under gevent a call runs on another native thread, and its result comes back."""
    program = tmp_path / "program.py"
    program.write_text(PATCHED)
    done = subprocess.run(
        [sys.executable, "-m", "gevent.monkey", program],
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("False False\n", "")
