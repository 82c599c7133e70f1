"""How each verb is written in a random flow, by an author, at a place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from tests.engine.author import Author, Place, Raw, Writer, Written


def http(author: Author, place: Place) -> Written:
    name = author.name("r")
    method = author.draw(st.sampled_from(["GET", "POST"]))
    step: Raw = {"id": name, "http": f"{method} {author.asking(place, name)}"}
    if author.flip(4):
        step["retryable"] = True
    if method == "GET" and author.flip(4):
        step["retry"] = {"times": 1, "on": [500], "delay": "1s", "jitter": False}
    if author.flip(6):
        step["timeout"] = "1h"
    return Written(step, (f"default(steps.{name}.body.n, 0)",))


def python(author: Author, place: Place) -> Written:
    """Code draws no UUID, so a variable has the one that tells its effects apart."""
    name = author.name("r")
    step: Raw = {"id": name, "python": f'return act(vars["p{name}"])'}
    if author.flip(4):
        step["retryable"] = True
    steps = [{"set": {f"p{name}": author.asking(place, name)}}, author.limited(step)]
    return Written({"try": steps}, (f"default(steps.{name}.n, 0)",))


STATEMENTS = (
    ("insert into asked (what) values (:what)", "execute", "count"),
    ("insert into asked (what) values (:what) returning n", "value", "value"),
    ("select n from asked where what = :what", "one", "row.n"),
    ("select n from asked where what = :what", "rows", "count"),
)
"""A statement, its mode, and where the result has a number."""


def sql(author: Author, place: Place) -> Written:
    name = author.name("r")
    written = statement(author, name, author.asking(place, name, "deferred"))
    if not place.in_transaction and author.flip(4):
        written.step["retryable"] = True
    return written


def statement(author: Author, name: str, what: str) -> Written:
    text, mode, field = author.draw(st.sampled_from(STATEMENTS))
    step: Raw = {"id": name, "sql": text, "mode": mode, "params": {"what": what}}
    return Written(author.limited(step), (f"default(steps.{name}.{field}, 0)",))


def transaction(author: Author, place: Place) -> Written:
    inner = replace(place.inside(), in_transaction=True)
    first = sql(author, replace(inner, calm=True))
    change = assign(author, inner) if inner.vars else log(author, inner)
    steps, end = author.block(replace(inner, results=(*inner.results, *first.results)))
    last = ending(author, end)
    steps = [first.step, change.step, *steps, *(written.step for written in last)]
    step: Raw = author.limited({"transaction": steps})
    if author.flip(4):
        step["retryable"] = True
    return Written(step, new(end, place), new(end, place))


def ending(author: Author, place: Place) -> list[Written]:
    """How a transaction ends: more often badly than not, where it may."""
    how = (
        "well"
        if place.calm
        else author.draw(st.sampled_from(["well", "return", "fail", "bad", "deferred"]))
    )
    if how == "well":
        return []
    if how in ("return", "fail"):
        written = (ret if how == "return" else fail)(author, place)
        written.step["when"] = "true"
        return [written]
    name = author.name("r")
    what = author.asking(replace(place, calm=True), name).replace("good", how)
    return [statement(author, name, what)]


def clash(author: Author, place: Place) -> Written:
    """A transaction whose first statement is refused, and accepted when it is asked again.

    All of its attempts ask the same, or the database could not tell that it is asked again.
    """
    name = author.name("r")
    written = transaction(author, place)
    what = author.asking(replace(place, calm=True), name).replace("good", "clash")
    first = statement(author, name, f"${{vars.p{name}}}")
    written.step["transaction"].insert(0, first.step)
    delay = "5s" if author.flavour.parks else "1s"
    written.step["retry"] = {"times": 1, "on": ["conflict"], "delay": delay, "jitter": False}
    results = (*first.results, *written.results)
    return Written({"try": [{"set": {f"p{name}": what}}, written.step]}, results, results)


def check(author: Author, place: Place) -> Written:
    name, number = author.name("r"), author.number(place)
    rule: Raw = {"type": "integer", "min": 0}
    if not place.calm:
        rule["max"] = author.draw(st.sampled_from([400, 9999]))
    if author.flip(2):
        step = {"id": name, "check": number, "schema": rule}
        return Written(step, (f"default(steps.{name}, 0)",))
    spare = {"type": "integer", "default": 5}
    schema = {"type": "object", "properties": {"n": rule, "spare": spare}}
    step = {"id": name, "check": f'{{"n": {number}}}', "schema": schema}
    return Written(step, (f"default(steps.{name}.n, 0)", f"default(steps.{name}.spare, 0)"))


def assign(author: Author, place: Place) -> Written:
    names = author.draw(st.lists(st.sampled_from(place.vars), min_size=1, unique=True))
    return Written({"set": author.answer(place, tuple(names))})


def log(author: Author, place: Place) -> Written:
    return Written({"log": f"at ${{{author.number(place)}}}"})


def wait(author: Author, place: Place) -> Written:
    times = ["1s", "5s"] if author.flavour.parks else ["1s"]
    if author.flavour.parks and not place.depth and author.naps:
        author.naps -= 1
        times.append("3h")
    return Written({"wait": author.draw(st.sampled_from(times))})


def ret(author: Author, place: Place) -> Written:
    names = author.draw(st.lists(st.sampled_from(author.outputs), unique=True))
    if "n" in author.outputs:
        names = ["n"]
    return Written({"return": author.answer(place, tuple(names)), "when": author.condition(place)})


def fail(author: Author, place: Place) -> Written:
    failure = {"message": f"no ${{{author.number(place)}}}", "code": author.draw(st.integers(1, 9))}
    return Written({"fail": failure, "when": author.condition(place)})


def late(author: Author, place: Place) -> Written:
    """A wait that cannot end in time, in a block that has a ``timeout``."""
    steps, end = author.block(place.inside())
    step: Raw = {"if": "true", "timeout": "2h", "then": [*steps, {"wait": "3h"}]}
    written = Written(step, leftovers=end.results)
    author.on_error(written, place)
    return written


def try_(author: Author, place: Place) -> Written:
    steps, end = author.block(place.inside())
    return Written(author.limited({"try": steps}), new(end, place), new(end, place))


def new(end: Place, begin: Place) -> tuple[str, ...]:
    """What can be read at the end of a block, and could not before it."""
    return tuple(each for each in end.results if each not in begin.results)


def if_(author: Author, place: Place) -> Written:
    then, end = author.block(place.inside())
    step: Raw = {"if": author.condition(place), "then": then}
    if author.flip(2):
        step["else"] = author.block(place.inside())[0]
    return author.named(author.limited(step), leftovers=end.results)


def switch(author: Author, place: Place) -> Written:
    cases: list[Raw] = []
    for _ in range(author.draw(st.integers(1, 2))):
        then = author.block(place.inside())[0]
        cases.append({"when": author.condition(place), "then": then})
    if author.flip(2):
        cases.append({"else": author.block(place.inside())[0]})
    return Written(author.limited({"switch": cases}))


def for_each(author: Author, place: Place) -> Written:
    items = author.draw(st.lists(st.integers(0, 9), max_size=3))
    width = 1 if place.in_transaction else author.draw(st.sampled_from([1, 1, 2, 5]))
    inner = place.inside("item", "index")
    begin: list[Raw] = []
    if width > 1:
        own = tuple(author.name("k") for _ in range(3))
        begin = [{"set": {name: f"${{{author.number(inner)}}}" for name in own}}]
        inner = replace(
            inner, vars=own, seen=(*inner.seen, *(f"vars.{name}" for name in place.vars))
        )
        inner = author.branch(inner)
    steps, end = author.block(inner)
    step: Raw = {"for_each": items, "concurrency": width, "steps": [*begin, *steps]}
    if width == 1 and author.flip(2):
        step["for_each"] = f"[{author.number(place)} % 5, 1]"
    if author.flip(2):
        return author.named(author.limited(step))
    step["collect"] = author.number(end)
    name = author.name("r")
    return author.named(author.limited(step), name, f"sum(default(steps.{name}, []))")


def repeat(author: Author, place: Place) -> Written:
    steps, end = author.block(place.inside("index"))
    until = f"index >= {author.draw(st.integers(0, 2))}"
    plan: Raw = {"until": until, "max": 3 if place.calm else author.draw(st.integers(1, 3))}
    if author.flip(2):
        plan["every"] = "5s" if author.flavour.parks and author.flip(2) else "1s"
    step = author.limited({"repeat": plan, "steps": steps})
    return Written(step, new(end, place), new(end, place))


def parallel(author: Author, place: Place) -> Written:
    names = ["left", "middle", "right"][: author.draw(st.integers(1, 3))]
    branches = {}
    for number, name in enumerate(names):
        own = place.vars[number :: len(names)]
        others = tuple(f"vars.{each}" for each in place.vars if each not in own)
        inner = place.inside(*others)
        branches[name] = author.block(author.branch(replace(inner, vars=own)))[0]
    return branched(author, {"parallel": branches})


def race(author: Author, place: Place) -> Written:
    names = ["left", "right"][: author.draw(st.integers(1, 2))]
    inner = place.inside()
    return branched(
        author, {"parallel": {n: author.block(inner)[0] for n in names}, "wait": "first"}
    )


def branched(author: Author, step: Raw) -> Written:
    name = author.name("r")
    return author.named(author.limited(step), name, f"len(to_json(default(steps.{name}, 0)))")


def call(author: Author, place: Place) -> Written:
    name = author.name("r")
    target = author.draw(st.sampled_from(author.callees))
    step = {"call": target, "with": {"n": f"${{{author.number(place)}}}"}}
    return author.named(author.limited(step), name, f"default(steps.{name}.n, 0)")


LEAVES: Mapping[str, Writer] = {
    "http": http,
    "python": python,
    "sql": sql,
    "set": assign,
    "check": check,
    "log": log,
    "wait": wait,
    "return": ret,
    "fail": fail,
}
BLOCKS: Mapping[str, Writer] = {
    "if": if_,
    "switch": switch,
    "try": try_,
    "transaction": transaction,
    "clash": clash,
    "for_each": for_each,
    "repeat": repeat,
    "parallel": parallel,
    "race": race,
    "call": call,
    "late": late,
}
"""Who writes which verb. A new verb of the language is one line in one of these, and its function;
and one more in ``tests/engine/reference.py``."""
