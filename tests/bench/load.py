"""Load from wrk on one URL: bounded in connections and in time."""

from __future__ import annotations

import math
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_RATE = re.compile(r"Requests/sec: +([\d.]+)")
_COUNT = re.compile(r"(\d+) requests in")
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_BROKEN = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


class LoadError(Exception):
    """wrk did not run, or the server answered something else than 200."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw. ``rate`` is answers a second, ``p50`` and ``p99`` are milliseconds.

    They are infinite if nothing was answered. ``broken`` counts connections that failed and
    answers that took longer than wrk waits.
    """

    rate: float
    count: int
    p50: float
    p99: float
    broken: int


def wrk(
    url: str,
    *,
    connections: int,
    seconds: int,
    headers: Mapping[str, str],
    script: Path | None = None,
) -> Load:
    """Ask for ``url`` again and again over ``connections`` connections for ``seconds`` seconds.

    ``script`` is Lua that may say otherwise (:mod:`tests.bench.pacing`).

    Raises:
        LoadError: an answer was not 200, or there was none.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout=30s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if script is not None:
        command += ["-s", str(script)]
    done = subprocess.run(
        [*command, url], capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode or not _RATE.search(done.stdout) or _REFUSED.search(done.stdout):
        raise LoadError(f"wrk on {url}:\n{done.stdout}{done.stderr}")
    return read(done.stdout)


def read(report: str) -> Load:
    """The figures in wrk's report."""
    broken = _BROKEN.search(report)
    count = int(_group(_COUNT, report))
    return Load(
        rate=float(_group(_RATE, report)),
        count=count,
        # Of no answers at all wrk says 0.
        p50=_milliseconds("50", report) if count else math.inf,
        p99=_milliseconds("99", report) if count else math.inf,
        broken=sum(map(int, broken.groups())) if broken else 0,
    )


def _milliseconds(percentile: str, report: str) -> float:
    match = re.search(rf"{percentile}% +([\d.]+)(us|ms|s|m)\b", report)
    if match is None:
        raise LoadError(f"no {percentile}th percentile in:\n{report}")
    return float(match[1]) * _UNITS[match[2]]


def _group(pattern: re.Pattern[str], report: str) -> str:
    match = pattern.search(report)
    if match is None:
        raise LoadError(f"no {pattern.pattern} in:\n{report}")
    return match[1]
