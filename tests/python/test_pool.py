"""The child processes that run code: warm, bounded, and replaced when a call has damaged one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.python.contract import PythonCall, PythonResult
from app.python.pool import PythonPool
from app.strict_json import dumps
from tests.blackbox.client import eventually

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def pool() -> Iterator[PythonPool]:
    """Two processes, in an environment that holds a secret of ours."""
    environ = {**os.environ, "SITESWAP_SECRET_KEY": "top-secret", "PYTHONPATH": "/nowhere"}
    pool = PythonPool(size=2, memory=300 * MEGABYTE, environ=environ, monotonic=time.monotonic)
    yield pool
    pool.close()


def run(pool: PythonPool, code: str, timeout: float = 20, **data: Any) -> PythonResult:
    """One call."""
    return pool.run(PythonCall(code, data, timeout, MEGABYTE))


def value(pool: PythonPool, code: str, **data: Any) -> Any:
    """The result of code that ends well."""
    done = run(pool, code, **data)
    assert done.failure is None, done
    return done.value


def message(pool: PythonPool, code: str, timeout: float = 20) -> str:
    """Why there is no result."""
    done = run(pool, code, timeout)
    assert done.failure is not None, done
    return done.failure.message


def is_gone(pid: int) -> bool:
    """Whether a process has ended with all its threads, even if nobody has waited for it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] == "Z" and len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
    except FileNotFoundError:
        return True


PID = "import os\nreturn os.getpid()"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(data=JSON)
def test_data_comes_back_as_it_went(pool: PythonPool, data: Any) -> None:
    """Any JSON value goes in and out unchanged, in type too."""
    assert dumps(value(pool, "return inputs", inputs=data)) == dumps(data)


def test_a_process_is_used_again(pool: PythonPool) -> None:
    """Calls one after the other run in one process, in which modules stay imported."""
    first = value(pool, PID)
    assert [value(pool, PID) for _ in range(5)] == [first] * 5
    assert value(pool, "return sorted(globals())") == ["__builtins__", "__name__", "step"]


def test_calls_run_at_once_and_no_more_than_there_is_room_for(pool: PythonPool) -> None:
    """Two at once in two processes; a third waits, and is told when its time is over."""
    meet = """
import os, time
open(f"{inputs}/{os.getpid()}", "w").close()
while len(os.listdir(inputs)) < 2:
    time.sleep(0.01)
return os.getpid()
"""
    folder = value(pool, "import tempfile\nreturn tempfile.mkdtemp()")
    with ThreadPoolExecutor(3) as threads:
        both = [threads.submit(value, pool, meet, inputs=folder) for _ in range(2)]
        assert len({each.result() for each in both}) == 2
        slow = [threads.submit(run, pool, "import time\ntime.sleep(0.5)") for _ in range(2)]
        eventually(lambda: pool._places._value, (0).__eq__)  # type: ignore[attr-defined]
        late = run(pool, "return 1", 0.1)
        assert [each.result().failure for each in slow] == [None, None]
    assert late.failure is not None
    assert late.failure.is_late
    assert "busy" in late.failure.message


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "import subprocess\nsubprocess.run(['sleep', '60'])",
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
        "while True:\n  try: x\n  except: pass",
        "x = 10 ** 10 ** 9",
    ],
    ids=["loop", "sleep", "child", "deaf", "bare-except", "in-c"],
)
def test_the_deadline_ends_whatever_the_code_does(pool: PythonPool, code: str) -> None:
    """It is stopped in time, and the next call has a new process."""
    began = time.monotonic()
    done = run(pool, code, 0.3)
    assert done.failure is not None
    assert done.failure.is_late
    assert time.monotonic() - began < 5
    assert value(pool, "return 1") == 1


def test_what_the_code_has_started_ends_with_it(pool: PythonPool, tmp_path: Path) -> None:
    """A tree of processes that grows is killed as a whole at the deadline."""
    code = f"""
import os, time
for _ in range(4):
    os.fork()
open("{tmp_path}/" + str(os.getpid()), "w").close()
time.sleep(60)
"""
    assert run(pool, code, 1.5).failure
    pids = [int(file.name) for file in tmp_path.iterdir()]
    assert len(pids) == 16
    eventually(lambda: [pid for pid in pids if not is_gone(pid)], lambda alive: not alive)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os\nos._exit(3)", "its process ended with status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("import os\nos.closerange(0, 1000)\nreturn 1", "its process ended"),
        ("exit(4)", "the code ended its process (4)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("x = 'x' * 1_000_000_000", "MemoryError"),
        ("x = []\nwhile True: x.append('x' * 1_000_000)", "MemoryError"),
    ],
    ids=["_exit", "signal", "closed-fds", "exit", "interrupt", "memory-at-once", "memory"],
)
def test_a_process_that_is_damaged_is_replaced(pool: PythonPool, code: str, sentence: str) -> None:
    """The call fails with what happened; the next one runs elsewhere."""
    before = value(pool, PID)
    assert sentence in message(pool, code)
    assert value(pool, PID) != before


def test_a_process_that_was_killed_while_idle_is_replaced(pool: PythonPool) -> None:
    """Nobody's call is lost to it."""
    pid = value(pool, PID)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: is_gone(pid), bool)
    assert value(pool, PID) != pid


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import datetime\nreturn {'a': [datetime.date.today()]}",
         "['a'][0] of the result is of type date, which JSON does not have"),
        ("return {1: 2}", "the result has a key that is of type int, not text"),
        ("return {(1, 2): 3}", "a key that is of type tuple"),
        ("return float('nan')", "the result is nan, which JSON does not have"),
        ("return [[-float('inf')]]", "[0][0] of the result is -inf, which JSON does not have"),
        ("return {1, 2}", "the result is of type set, which JSON does not have"),
        ("return b'x'", "the result is of type bytes, which JSON does not have"),
        ("return '\\ud800'", "lone surrogate"),
        ("return 'x' * 1_000_001", "the result takes 1000003 bytes, and 1000000 are allowed"),
        ("x = []\nx.append(x)\nreturn x", "nested deeper than 100"),
        ("return 10 ** 2000", "not JSON that is accepted"),
        ("return 10 ** 5000", "ValueError"),
    ],
)  # fmt: skip
def test_a_result_that_is_not_plain_is_an_error(pool: PythonPool, code: str, sentence: str) -> None:
    """It says what is wrong and where; the process is as good as before."""
    before = value(pool, PID)
    assert sentence in message(pool, code)
    assert value(pool, PID) == before


def test_a_tuple_is_a_list(pool: PythonPool) -> None:
    """What Python returns for ``return a, b`` is no trap."""
    assert value(pool, "return 1, (2, 'x')") == [1, [2, "x"]]


@pytest.mark.parametrize(
    ("code", "sentence", "line"),
    [
        ("x = 1\nraise ValueError('no price')", "ValueError: no price", 2),
        ("def f():\n  return {}['x']\n\nreturn f()", "KeyError: 'x'", 2),
        ("import json\njson.loads('{')", "JSONDecodeError: Expecting property name", 2),
        ("def f(): return f()\nreturn f()", "RecursionError: maximum recursion depth", 1),
        ("class E(Exception):\n  def __str__(self): 1 / 0\nraise E", "(its message cannot", 3),
        ("assert False", "AssertionError", 1),
    ],
)
def test_an_exception_has_a_type_a_message_and_a_line(
    pool: PythonPool, code: str, sentence: str, line: int
) -> None:
    """The line is the last one of the code on the way to it, not one of a library."""
    done = run(pool, code)
    assert done.failure is not None
    assert done.failure.message.startswith(sentence) or sentence in done.failure.message
    assert (done.failure.line, done.failure.is_late) == (line, False)


def test_prints_are_kept_apart_and_bounded(pool: PythonPool) -> None:
    """Whatever writes to standard output or error is output, never the answer."""
    code = """
import os, subprocess, sys
print("one")
print("two", file=sys.stderr)
sys.stdout.flush()
os.write(1, b"three\\n")
subprocess.run(["echo", "four"])
return "five"
"""
    done = run(pool, code)
    assert (done.value, done.output) == ("five", b"one\ntwo\nthree\nfour\n")
    huge = run(pool, "print('x' * 50_000_000)\nreturn 1")
    assert (huge.value, huge.output) == (1, b"x" * 20_000)
    assert (
        run(pool, "print('last words', flush=True)\nwhile True: pass", 0.5).output
        == b"last words\n"
    )
    assert run(pool, "import sys\nsys.stdout.close()\nreturn 1").value == 1
    assert run(pool, "print('again')").output == b"again\n"


def test_a_copy_of_the_process_answers_nothing(pool: PythonPool) -> None:
    """Code that forks and returns twice has returned once."""
    assert value(pool, "import os\nos.fork()\nreturn 1") == 1
    assert [value(pool, "return inputs", inputs=n) for n in range(20)] == list(range(20))


def test_the_surroundings_are_clean(pool: PythonPool) -> None:
    """No variable of ours, no open file of ours, no module of ours, no core file."""
    names = value(pool, "import os\nreturn list(os.environ)")
    assert not [name for name in names if name.startswith(("SITESWAP", "PYTHON"))]
    assert value(pool, "import os\nreturn len(os.listdir('/proc/self/fd'))") <= 6
    assert value(pool, "import sys\nreturn [m for m in sys.modules if m.startswith('app')]") == []
    assert value(pool, "import resource as r\nreturn r.getrlimit(r.RLIMIT_CORE)") == [0, 0]
    assert value(pool, "import sys\nreturn sys.stdin.read()") == ""


def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """They hear of it while they wait, and while they run a loop that never ends."""
    script = """
import os, sys, threading, time
from app.python.contract import PythonCall
from app.python.pool import PythonPool
pool = PythonPool(size=2, memory=300_000_000, environ=os.environ, monotonic=time.monotonic)
busy = PythonCall("import os\\nopen(inputs, 'w').write(str(os.getpid()))\\nwhile True: pass",
            {"inputs": sys.argv[1]}, 60, 1000)
threading.Thread(target=pool.run, args=(busy,), daemon=True).start()
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read():
    time.sleep(0.01)
idle = pool.run(PythonCall("import os\\nreturn os.getpid()", {}, 60, 1000)).value
print(idle, open(sys.argv[1]).read(), flush=True)
os.kill(os.getpid(), 9)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "pid")],
        env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(set(pids)) == 2, done.stderr
    eventually(lambda: [pid for pid in pids if not is_gone(pid)], lambda alive: not alive)
