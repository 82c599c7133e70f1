"""What a program should come to: a small interpreter that reads raw steps, one after the other.

It shares nothing with the engine. Branches run in the order in which they are written, as they do
where no thread is free.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.engine.reading import Names, Raw

Entry = tuple[str, str, int, str]
"""A line of the trace: label, verb, depth, outcome."""

SECONDS = {"s": 1, "m": 60, "h": 3600}
VERBS = ("http", "set", "if", "switch", "for_each", "repeat", "parallel", "call", "return", "fail",
         "log", "wait", "check", "python", "sql", "transaction", "try")  # fmt: skip


class Failed(Exception):
    """A step failed."""

    def __init__(self, kind: str, code: int = 1, status: int | None = None, text: str = "") -> None:
        super().__init__(kind)
        self.kind, self.code, self.status, self.text = kind, code, status, text
        self.step = ""


class Returned(Exception):
    """`return`, with its outputs."""


class Aborted(Exception):
    """`fail`, with its message and code."""


class Late(Exception):
    """Time is up."""


def answer(step: str) -> tuple[int, Raw]:
    """What is said outside: ``<kind>-<name>-<number>-<uuid>`` is asked."""
    kind, name, number = step.split("-")[:3]
    is_bad = kind == "bad" or (kind == "odd" and int(number) % 2 == 1)
    return (500 if is_bad else 200), {"n": (int(name[1:]) * 7 + int(number)) % 997}


class Reference:
    """One run. ``effects`` are what was done outside, without what is drawn by chance."""

    def __init__(self, flows: Mapping[str, Raw]) -> None:
        self.flows = flows
        self.effects: list[str] = []
        self.refused: set[str] = set()
        self.trace: list[Entry] = []
        self.depth = 0
        self.is_open = False
        """Whether a transaction is under way."""
        self.time = 0.0
        self.deadline = 72_000.0

    def run(self) -> tuple[str, Any]:
        """How the run ends: ``finish`` and the outputs, or a code and, if it is said, why."""
        try:
            return "finish", self.flow("test/v1", {})
        except Failed as error:
            return "abort", (error.code, error.text)
        except Aborted as end:
            return "abort", (end.args[1], end.args[0])

    def flow(self, name: str, inputs: Raw) -> Raw:
        flow = self.flows[name]
        try:
            self.block(flow["steps"], Names(inputs))
        except Returned as end:
            return {name: end.args[0].get(name) for name in flow["outputs"]}
        raise AssertionError

    def block(self, steps: list[Raw], names: Names) -> Any:
        result = None
        for step in steps:
            result = self.step(step, names)
        return result

    def step(self, step: Raw, names: Names) -> Any:
        if "when" in step and not names.evaluate(step["when"]):
            return None
        verb = next(verb for verb in VERBS if verb in step)
        try:
            result = self.traced(step, verb, names)
        except Failed as error:
            error.step = error.step or step.get("id", verb)
            if "on_error" not in step:
                raise
            return self.handle(step["on_error"], error, names)
        if "id" in step:
            names["steps"][step["id"]] = result
        return result

    def handle(self, handler: Any, error: Failed, names: Names) -> Any:
        if handler == "continue":
            return None
        outer = names.roots.get("error")
        names.roots["error"] = {
            "kind": error.kind, "code": error.code, "step": error.step, "message": "",
        }  # fmt: skip
        try:
            return self.block(handler, names)
        finally:
            names.roots["error"] = outer

    def traced(self, step: Raw, verb: str, names: Names) -> Any:
        place, depth = len(self.trace), self.depth
        label = step.get("id", verb)
        self.trace.append((label, verb, depth, "running"))
        self.depth += 1
        outcome = "ok"
        try:
            return self.limited(step, verb, names)
        except Returned:
            outcome = "return"
            raise
        except Aborted:
            outcome = "fail"
            raise
        except Failed:
            outcome = "error"
            raise
        except Late:
            outcome = "timeout"
            raise
        finally:
            self.trace[place] = (label, verb, depth, outcome)
            self.depth = depth

    def limited(self, step: Raw, verb: str, names: Names) -> Any:
        work: Callable[[Raw, Names], Any] = getattr(self, f"do_{verb}")
        if "timeout" not in step:
            return work(step, names)
        outer = self.deadline
        own = self.time + seconds(step["timeout"])
        self.deadline = min(own, outer)
        try:
            return work(step, names)
        except Late:
            if outer <= own:
                raise
            raise Failed("timeout") from None
        finally:
            self.deadline = outer

    def sleep(self, time: float) -> None:
        if self.time + time >= self.deadline:
            raise Late
        self.time += time

    def do_http(self, step: Raw, names: Names) -> Any:
        return self.retried(step, "status", lambda: self.request(step, names))

    def retried(self, step: Raw, kind: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Failed as error:
            if "retry" not in step or error.kind != kind:
                raise
            self.sleep(seconds(step["retry"]["delay"]))
            return work()

    def request(self, step: Raw, names: Names) -> Any:
        body = self.ask(names.value(step["http"]), "status", 500)
        return {"status": 200, "headers": {"content-type": "application/json"}, "body": body}

    def ask(self, what: str, kind: str, status: int | None = None) -> Raw:
        self.effects.append(asked := readable(what))
        found, body = answer(asked)
        if found != 200:
            raise Failed(kind, status=status)
        return body

    def do_python(self, step: Raw, names: Names) -> Any:
        (name,) = re.findall(r'vars\["(\w+)"\]', step["python"])
        return self.ask(names["vars"][name], "python")

    def do_sql(self, step: Raw, names: Names) -> Any:
        number = self.transacted(names, lambda: self.statement(step, names))
        shapes: Mapping[str, Raw] = {
            "execute": {"count": number},
            "value": {"value": number},
            "one": {"row": {"n": number}},
            "rows": {"rows": [{"n": number}], "count": 1},
        }
        return shapes[step["mode"]]

    def statement(self, step: Raw, names: Names) -> int:
        asked = readable(names.value(step["params"]["what"]))
        if asked.startswith("clash") and asked not in self.refused:
            self.refused.add(asked)
            raise Failed("conflict")
        status, body = answer(asked)
        if status != 200:
            raise Failed("sql")
        self.effects.append(asked)
        return int(body["n"])

    def do_transaction(self, step: Raw, names: Names) -> None:
        steps = step["transaction"]
        self.retried(
            step, "conflict", lambda: self.transacted(names, lambda: self.block(steps, names))
        )

    def transacted(self, names: Names, work: Callable[[], Any]) -> Any:
        """What the work gives, if it can be committed; nothing is left of it if not."""
        if self.is_open:
            return work()
        kept, count, self.is_open = names.copy(), len(self.effects), True
        try:
            result = self.committed(work, count)
        except (Failed, Aborted):
            names.restore(kept)
            del self.effects[count:]
            raise
        finally:
            self.is_open = False
        if isinstance(result, Returned):
            raise result
        return result

    def committed(self, work: Callable[[], Any], count: int) -> Any:
        try:
            result = work()
        except Returned as end:
            result = end
        if any(each.startswith("deferred") for each in self.effects[count:]):
            raise Failed("integrity")
        return result

    def do_check(self, step: Raw, names: Names) -> Any:
        value, schema = names.evaluate(step["check"]), step["schema"]
        is_object = schema["type"] == "object"
        rule = schema["properties"]["n"] if is_object else schema
        if (value["n"] if is_object else value) > rule.get("max", float("inf")):
            raise Failed("check")
        return {**value, "spare": 5} if is_object else value

    def do_try(self, step: Raw, names: Names) -> Any:
        return self.block(step["try"], names)

    def do_set(self, step: Raw, names: Names) -> Any:
        assigned = names.value(step["set"])
        names["vars"].update(assigned)
        return assigned

    def do_log(self, step: Raw, names: Names) -> None:
        names.value(step["log"])

    def do_wait(self, step: Raw, names: Names) -> None:
        self.sleep(seconds(step["wait"]))

    def do_return(self, step: Raw, names: Names) -> None:
        raise Returned(names.value(step["return"]))

    def do_fail(self, step: Raw, names: Names) -> None:
        raise Aborted(names.value(step["fail"]["message"]), step["fail"]["code"])

    def do_if(self, step: Raw, names: Names) -> Any:
        holds = names.evaluate(step["if"])
        return self.block(step["then"] if holds else step.get("else", []), names)

    def do_switch(self, step: Raw, names: Names) -> Any:
        for case in step["switch"]:
            if "else" in case:
                return self.block(case["else"], names)
            if names.evaluate(case["when"]):
                return self.block(case["then"], names)
        return None

    def do_for_each(self, step: Raw, names: Names) -> Any:
        items = step["for_each"]
        items = names.evaluate(items) if isinstance(items, str) else items
        gathered = []
        for index, item in enumerate(items):
            inner = names.branch(item=item, index=index)
            if step["concurrency"] == 1:
                inner.roots["vars"] = names["vars"]
            self.block(step["steps"], inner)
            gathered.append(inner.evaluate(step.get("collect", "null")))
        return gathered if "collect" in step else None

    def do_repeat(self, step: Raw, names: Names) -> Any:
        plan, before, outer = step["repeat"], names["steps"], names.roots.get("index")
        try:
            for index in range(plan["max"]):
                if index and "every" in plan:
                    self.sleep(seconds(plan["every"]))
                names.roots |= {"index": index, "steps": dict(before)}
                result = self.block(step["steps"], names)
                if names.evaluate(plan["until"]):
                    return result
            raise Failed("limit")
        finally:
            names.roots["index"] = outer

    def do_parallel(self, step: Raw, names: Names) -> Any:
        race = self.race if step.get("wait") == "first" else self.every
        return race(step["parallel"], names)

    def every(self, branches: Mapping[str, list[Raw]], names: Names) -> Any:
        results, inner = {}, {name: names.branch() for name in branches}
        before = dict(names["vars"])
        for name, steps in branches.items():
            results[name] = self.block(steps, inner[name])
        for each in inner.values():
            changed = {k: v for k, v in each["vars"].items() if before.get(k) != v}
            names["vars"].update(changed)
        return results

    def race(self, branches: Mapping[str, list[Raw]], names: Names) -> Any:
        failures, begun = [], len(self.trace)
        for name, steps in branches.items():
            inner, here = names.branch(), len(self.trace)
            try:
                result = self.block(steps, inner)
            except Failed as error:
                failures.append(error)
            else:
                del self.trace[begun:here]  # what the losers did counts for nothing
                names["vars"].update(inner["vars"])
                return {**dict.fromkeys(branches), name: result}
        raise failures[0]

    def do_call(self, step: Raw, names: Names) -> Any:
        try:
            return self.flow(step["call"], names.value(step["with"]))
        except Failed as error:
            raise Failed(error.kind, error.code, error.status, error.text) from None
        except Aborted as end:
            raise Failed("fail", end.args[1], text=end.args[0]) from None


def seconds(text: str) -> int:
    """A duration."""
    return int(text[:-1]) * SECONDS[text[-1]]


def readable(what: str) -> str:
    """What was asked, without the run and what is drawn by chance: ``<kind>-<name>-<number>``."""
    return "-".join(what.rpartition("/")[2].split("-", 3)[:3])
