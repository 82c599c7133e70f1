"""What is known at each point of a flow: definite assignment, ends, and names from outside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import PurePath

import pytest

from app.catalog.loader import load_flow
from app.language.environment import Environment
from tests.lint.corpus import NOTHING_OUTSIDE

HEAD = """\
inputs:
  a: {type: boolean, default: false}
  b: {type: object, default: {}}
outputs:
  out: object
steps:
  - log: ${inputs}
"""

CALL = "http: GET https://api.example.com/x"


def codes(steps: str, environment: Environment = NOTHING_OUTSIDE) -> list[str]:
    """The codes that lint finds in these steps, in the order of their places."""
    text = HEAD + steps.replace("CALL", CALL)
    found = load_flow(PurePath("flow/v1.yaml"), text, environment).diagnostics
    return [diagnostic.code for diagnostic in found]


DEFINED = {
    "a step after its own definition": """
  - id: x
    CALL
  - log: ${steps.x.body.name}
""",
    "both arms of an if define it, with the same id": """
  - if: inputs.a
    then:
      - id: x
        CALL
    else:
      - id: x
        CALL
  - log: ${steps.x.status}
""",
    "every case of a switch with else defines it": """
  - switch:
      - when: inputs.a
        then:
          - set: {x: 1}
      - when: inputs.b
        then:
          - set: {x: 2}
      - else:
          - set: {x: 3}
  - log: ${vars.x}
""",
    "the other arm returns": """
  - if: inputs.a
    then:
      - return: {}
    else:
      - set: {x: 1}
  - log: ${vars.x}
""",
    "the if without else returns": """
  - id: x
    CALL
  - if: not steps.x.body.ok
    then:
      - fail: {message: no}
  - log: ${steps.x.body.ok}
""",
    "a guarded return leaves the rest as it was": """
  - set: {x: 1}
  - when: inputs.a
    return: {}
  - log: ${vars.x}
""",
    "the handler ends the flow": """
  - id: x
    CALL
    on_error:
      - return: {}
  - log: ${steps.x.body}
""",
    "the handler defines it as well": """
  - id: x
    CALL
    on_error:
      - id: x
        CALL
  - log: ${steps.x.body}
""",
    "it was defined before the branch": """
  - set: {x: 1}
  - if: inputs.a
    then:
      - set: {x: 2}
  - log: ${vars.x}
""",
    "the error inside its handler, and inside blocks of the handler": """
  - id: x
    CALL
    on_error:
      - if: error.status == 404
        then:
          - log: ${error.message} ${error.body} ${error.step} ${error.kind}
      - return: {}
""",
    "default makes a doubtful read safe": """
  - when: inputs.a
    id: x
    CALL
  - log: ${default(steps.x.body.name, "nobody")}
""",
    "a comprehension's own variable has no root": """
  - log: ${[item.id for item in default(inputs.b.list, [])]}
""",
}


@pytest.mark.parametrize("steps", DEFINED.values(), ids=DEFINED.keys())
def test_a_name_that_is_defined_on_every_path_can_be_read(steps: str) -> None:
    """No finding where every path that gets to a read has passed a definition."""
    assert codes(steps) == []


DOUBTFUL = {
    "then without else": """
  - if: inputs.a
    then:
      - set: {x: 1}
  - log: ${vars.x}
""",
    "one arm of two": """
  - if: inputs.a
    then:
      - set: {x: 1}
    else:
      - set: {y: 1}
  - log: ${vars.x}
""",
    "a switch without else": """
  - switch:
      - when: inputs.a
        then:
          - set: {x: 1}
  - log: ${vars.x}
""",
    "a guarded step": """
  - when: inputs.a
    set: {x: 1}
  - log: ${vars.x}
""",
    "a step whose handler goes on": """
  - id: x
    CALL
    on_error: continue
  - log: ${steps.x.body}
""",
    "the failed step, inside its handler": """
  - id: x
    CALL
    on_error:
      - log: ${steps.x.status}
      - return: {}
""",
    "what a failed block had set, inside its handler": """
  - if: inputs.a
    then:
      - set: {x: 1}
      - CALL
    else:
      - set: {x: 2}
    on_error:
      - log: ${vars.x}
      - return: {}
""",
    "an arm that only perhaps returns": """
  - if: inputs.a
    then:
      - when: inputs.b
        return: {}
    else:
      - set: {x: 1}
  - log: ${vars.x}
""",
}


@pytest.mark.parametrize("steps", DOUBTFUL.values(), ids=DOUBTFUL.keys())
def test_a_name_that_is_defined_on_some_paths_needs_default(steps: str) -> None:
    """A read that some path reaches without a definition is an error; ``default(…)`` mends it."""
    assert codes(steps) == ["maybe-undefined"]
    name = "steps.x" if "steps.x" in steps else "vars.x"
    read = next(line for line in steps.splitlines() if "${" + name in line)
    mended = read.replace("${", "${default(").replace("}", ", null)}")
    assert codes(steps.replace(read, mended)) == []


WRONG = {
    "later in the same block": (
        "  - log: ${vars.x}\n  - set: {x: 1}\n",
        ["used-before-defined"],
    ),
    "in the other arm": (
        """
  - if: inputs.a
    then:
      - set: {x: 1}
    else:
      - log: ${vars.x}
""",
        ["used-before-defined"],
    ),
    "within its own step": (
        "  - id: x\n    CALL\n    query: {q: '${steps.x.status}'}\n",
        ["used-before-defined"],
    ),
    "in its own guard": (
        "  - id: x\n    when: steps.x.status == 200\n    CALL\n",
        ["used-before-defined"],
    ),
    "default does not help where nothing can have run": (
        "  - log: ${default(vars.x, 1)}\n  - set: {x: 1}\n",
        ["used-before-defined"],
    ),
    "the error after its handler": (
        "  - CALL\n    on_error: continue\n  - log: ${error.message}\n",
        ["unknown-name"],
    ),
    "the error in the step itself": (
        "  - CALL\n    query: {q: '${error.kind}'}\n    on_error: continue\n",
        ["unknown-name"],
    ),
    "after a return": ("  - return: {}\n  - log: a\n  - log: b\n", ["unreachable"]),
    "after an if whose arms both end": (
        """
  - if: inputs.a
    then:
      - return: {}
    else:
      - fail: {message: no}
  - log: never
""",
        ["unreachable"],
    ),
    "after a switch whose cases all end": (
        """
  - switch:
      - when: inputs.a
        then:
          - return: {}
      - else:
          - return: {}
  - log: never
""",
        ["unreachable"],
    ),
    "after a dead step the end still counts": (
        """
  - if: inputs.a
    then:
      - return: {}
      - log: never
    else:
      - return: {}
  - log: never
""",
        ["unreachable", "unreachable"],
    ),
    "two steps of one block": (
        "  - id: x\n    CALL\n  - id: x\n    CALL\n",
        ["duplicate-id"],
    ),
    "an inner step and one before it": (
        "  - id: x\n    CALL\n  - if: inputs.a\n    then:\n      - id: x\n        CALL\n",
        ["duplicate-id"],
    ),
}


@pytest.mark.parametrize(("steps", "wanted"), WRONG.values(), ids=WRONG.keys())
def test_flows_that_cannot_work_are_errors(steps: str, wanted: list[str]) -> None:
    """Reads before definitions, steps nobody reaches, and ids that hide others."""
    assert codes(steps) == wanted


AROUND_A_MISTAKE = {
    "a broken step still defines its id": (
        "  - id: x\n    CALL\n    timeout: 5\n  - log: ${steps.x.body}\n",
        ["bad-duration"],
    ),
    "a broken block still defines what is in it": (
        "  - if: a = b\n    then:\n      - set: {x: 1}\n  - log: ${vars.x}\n",
        ["wrong-operator"],
    ),
    "a verb with a typing mistake still defines": (
        "  - id: x\n    htpp: GET https://a.example\n  - log: ${steps.x.body}\n",
        ["unknown-verb"],
    ),
    "reads inside a broken step are still checked": (
        "  - CALL\n    timeout: 5\n    query: {q: '${inputs.c}'}\n",
        ["bad-duration", "unknown-input"],
    ),
    "steps inside a block with a bad condition are still checked": (
        "  - if: inputs.a &&\n    then:\n      - log: ${inputs.c}\n",
        ["wrong-operator", "unknown-input"],
    ),
    "cases beside a broken one are still checked": (
        """
  - switch:
      - when: inputs.a = 1
        then:
          - log: ${inputs.c}
      - else:
          - log: ${inputs.d}
""",
        ["wrong-operator", "unknown-input", "unknown-input"],
    ),
    "handlers of a broken step are still checked": (
        "  - CALL\n    timeout: 5\n    on_error:\n      - log: ${error.text}\n",
        ["bad-duration", "unknown-field"],
    ),
}


@pytest.mark.parametrize(
    ("steps", "wanted"), AROUND_A_MISTAKE.values(), ids=AROUND_A_MISTAKE.keys()
)
def test_one_mistake_neither_hides_nor_breeds_others(steps: str, wanted: list[str]) -> None:
    """Around and inside a step that is wrong, everything else is checked as if it were right."""
    assert sorted(codes(steps)) == sorted(wanted)


def test_names_from_outside() -> None:
    """A variable may be set elsewhere, which is a warning; without a secret no flow is served."""
    steps = "  - log: ${env.MODE} ${secrets.KEY} ${default(env.MODE, 'x')}\n"
    assert codes(steps) == ["not-available", "unknown-secret", "not-available"]
    known = Environment(env=frozenset({"MODE"}), secrets=frozenset({"KEY"}))
    assert codes(steps, known) == []
    assert codes(steps, Environment()) == []


def test_a_secret_that_may_be_missing() -> None:
    """``default`` reads it safely; that it is not there is then only worth a warning."""
    text = "steps:\n  - log: ${default(secrets.KEY, 'none')}\n"
    loaded = load_flow(PurePath("flow/v1.yaml"), text, NOTHING_OUTSIDE)
    assert loaded.flow is not None
    assert [diagnostic.code for diagnostic in loaded.diagnostics] == ["unknown-secret"]


def test_whole_roots_can_be_read() -> None:
    """A root without a name is an object like any other, and reads every input."""
    steps = "  - log: ${to_json([inputs, steps, vars, env, flow, request])}\n"
    assert codes(steps) == []


@pytest.mark.parametrize(
    ("declaration", "read", "wanted"),
    [
        ("x: string", "inputs.x", []),
        ("x: string", "1", ["unused-input"]),
        ("x: list", "inputs.x[0].name", []),
        ("x: list", "inputs.x.name", ["unknown-field"]),
        ("x: date", "default(inputs.x.year, 0)", []),
        ("x: object", "inputs.x.any.thing", []),
        ("x: {type: string, secret: true}", "inputs.x", []),
        ("x: {type: string, secret: true, default: abc}", "inputs.x", ["secret-in-file"]),
        ("value: {type: int}", "inputs.value", ["bad-choice"]),
        ("_schema: string", "len(inputs)", ["bad-name"]),
        ("x: strin", "inputs.x.any", ["bad-choice"]),
        ("[x]", "inputs.x", ["wrong-type"]),
    ],
)
def test_inputs(declaration: str, read: str, wanted: list[str]) -> None:
    """Inputs are read as what they are declared to be; a bad declaration is not blamed twice."""
    text = f"inputs:\n  {declaration}\nsteps:\n  - log: {{message: '${{{read}}}'}}\n"
    found = load_flow(PurePath("flow/v1.yaml"), text, NOTHING_OUTSIDE).diagnostics
    assert [diagnostic.code for diagnostic in found] == wanted


CHECKS_FIRST = """
import app.language.checks
from pathlib import PurePath
from app.catalog.loader import load_flow
from app.language.environment import Environment
text = "steps:\\n  - {log: x, retry: {times: 1}}\\n"
print(*[each.hint for each in load_flow(PurePath("flow/v1.yaml"), text, Environment()).diagnostics])
"""


def test_a_hint_names_the_verbs_whatever_is_imported_first() -> None:
    """The verbs are registered while modules are imported, in an order that hints do not see."""
    command = [sys.executable, "-c", CHECKS_FIRST]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "`http`, `sql`, `transaction`, `python`" in done.stdout
