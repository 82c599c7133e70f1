"""The file that ``flask flow new`` writes: it lints clean, runs at once, and teaches by example."""

STARTER = """\
# yaml-language-server: $schema=../flow.schema.json
name: My first flow
description: Say in one sentence what it is for
mode: sync                       # sync answers at once, async hands out an id to poll
timeout: 10s                     # a run that takes longer is ended

inputs:                          # what a caller sends: name: type
  who: string
  excited: {type: boolean, default: false}

outputs:                         # all that a caller ever sees: name: type
  greeting: string

steps:
  - set: {greeting: "Hello, ${inputs.who}"}     # read it later as vars.greeting

  - if: inputs.excited
    then:
      - set: {greeting: "${upper(vars.greeting)}!"}

  # Call an HTTP API; its answer is steps.user.status, .headers and .body:
  #
  # - id: user
  #   http: GET https://api.example.com/users/${inputs.who}
  #   timeout: 3s
  #   retry: 2

  - return:
      greeting: ${vars.greeting}
"""
