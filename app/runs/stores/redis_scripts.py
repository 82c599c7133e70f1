"""The Lua scripts of the Redis store: each runs on the server as one atomic step.

``KEYS[1]`` is the prefix of all keys. Under it are:

==========================  ======================================================================
``run:ID``                  hash: the fields of the run; one that is not set is not there
``steps:ID``                hash: path → number in the order of the beginnings, space, JSON
``values:ID``               hash: path → what the step got; dropped when the run ends
``held:OWNER``              sorted set: the runs of an owner that have not ended, by ``created_at``
``holders``                 set: the owners that have such runs
``beats``                   hash: owner → last sign of life
``all``, ``flow:KEY``,      sorted sets: ids by ``created_at``, to find runs by; an id stays for a
``status:S[:flow:KEY]``     while after its run has expired, so readers look for it
``ended``                   sorted set: JSON of id, status and flow of ended runs, by ``ended_at``
``source:DIGEST``           text of a flow file; expires after the last run that names it has ended
``uses``                    hash: digest → how many runs that have not ended name it
==========================  ======================================================================

A script is never rolled back, so none may fail in the middle. Redis refuses a script at its first
write or not at all: a replica, a disk that is full. When its memory is full, it refuses only one
that begins with a command which may need more. So what accepts a run begins with ``HSET``, and all
others with a command that removes something: what is under way may end, which makes room again.
"""

FIELDS = (
    "flow_key", "flow_version", "status", "created_at", "source", "owner", "queued", "attempt",
    "crashes", "started_at", "ended_at", "result", "error_code", "error_message", "reason",
    "payload",
)  # fmt: skip
"""The fields of a run, in the order in which scripts return them; the payload is the last."""

_COMMON = """
local function key(...) return KEYS[1] .. table.concat({...}, ':') end

local function file(id, status, flow, at)
  redis.call('ZADD', key('status', status), at, id)
  redis.call('ZADD', key('status', status, 'flow', flow), at, id)
end

local function unfile(id, status, flow)
  redis.call('ZREM', key('status', status), id)
  redis.call('ZREM', key('status', status, 'flow', flow), id)
end

local function hold(id, owner, at)
  redis.call('ZADD', key('held', owner), at, id)
  redis.call('SADD', key('holders'), owner)
end

local function unhold(id, owner)
  redis.call('ZREM', key('held', owner), id)
  if redis.call('EXISTS', key('held', owner)) == 0 then
    redis.call('SREM', key('holders'), owner)
  end
end

-- The run, if it has not ended.
local function unended(id)
  local found = redis.call('HMGET', key('run', id), 'status', 'owner', 'attempt', 'queued',
    'flow_key', 'created_at', 'source', 'started_at')
  if found[1] ~= 'INIT' and found[1] ~= 'RUNNING' then return nil end
  return {status = found[1], owner = found[2], attempt = found[3], queued = found[4],
    flow = found[5], at = found[6], source = found[7], started_at = found[8]}
end

-- The run, if its claim (owner, attempt, queued) is the one in ARGV from `first`.
local function held(id, first)
  local run = unended(id)
  if run and run.owner == ARGV[first] and run.attempt == ARGV[first + 1]
    and run.queued == ARGV[first + 2] then return run end
end

local function move(id, run, owner, queued)
  unhold(id, run.owner)
  hold(id, owner, run.at)
  redis.call('HSET', key('run', id), 'owner', owner, 'queued', queued)
end

-- Add a run: its id, its source's text and its fields are in ARGV from `first`.
local function add(first)
  local id, text = ARGV[first], ARGV[first + 1]
  if redis.call('EXISTS', key('run', id)) == 1 then return 0 end
  redis.call('HSET', key('run', id), unpack(ARGV, first + 2))
  local run = unended(id)
  redis.call('ZADD', key('all'), run.at, id)
  redis.call('ZADD', key('flow', run.flow), run.at, id)
  file(id, run.status, run.flow, run.at)
  hold(id, run.owner, run.at)
  redis.call('HINCRBY', key('uses'), run.source, 1)
  redis.call('SET', key('source', run.source), text, 'NX')
  redis.call('PERSIST', key('source', run.source))
  return 1
end
"""

ADD = _COMMON + "return add(1)"

CLAIM = (
    _COMMON
    + """
local id, owner, now = ARGV[1], ARGV[2], ARGV[3]
local run = unended(id)
if not run or run.queued ~= '1' then return false end
move(id, run, owner, '0')
redis.call('HINCRBY', key('run', id), 'attempt', 1)
redis.call('HSETNX', key('run', id), 'started_at', now)
if run.status == 'INIT' then
  unfile(id, 'INIT', run.flow)
  redis.call('HSET', key('run', id), 'status', 'RUNNING')
  file(id, 'RUNNING', run.flow, run.at)
end
return redis.call('HMGET', key('run', id), unpack(ARGV, 4))
"""
)
"""id, owner, now, the names of the fields → the fields, or nothing."""

RECORD = (
    _COMMON
    + """
local id, path, text, value = ARGV[1], ARGV[5], ARGV[6], ARGV[7]
local run = held(id, 2)
if not run or run.status ~= 'RUNNING' then return 0 end
redis.call('HDEL', key('values', id), path)
local former = redis.call('HGET', key('steps', id), path)
local number = former and string.match(former, '^%d+') or redis.call('HLEN', key('steps', id))
redis.call('HSET', key('steps', id), path, number .. ' ' .. text)
if value then redis.call('HSET', key('values', id), path, value) end
return 1
"""
)
"""id, hold, path, JSON, value if there is one → whether it was kept."""

COMPLETE = (
    _COMMON
    + """
local id, count = ARGV[1], tonumber(ARGV[7])
local run
if ARGV[2] == 'hold' then run = held(id, 3) else run = unended(id) end
if not run then return 0 end
local status, now, retention = ARGV[9], ARGV[11], ARGV[6]
unhold(id, run.owner)
unfile(id, run.status, run.flow)
redis.call('UNLINK', key('values', id))
redis.call('HSET', key('run', id), 'owner', '', 'queued', '0', unpack(ARGV, 8, 7 + count))
file(id, status, run.flow, run.at)
redis.call('ZADD', key('ended'), now, cjson.encode({id, status, run.flow}))
redis.call('PEXPIRE', key('run', id), retention)
redis.call('PEXPIRE', key('steps', id), retention)
if redis.call('HINCRBY', key('uses'), run.source, -1) <= 0 then
  redis.call('HDEL', key('uses'), run.source)
  redis.call('PEXPIRE', key('source', run.source), retention)
end
if ARGV[8 + count] then add(8 + count) end
return 1
"""
)
"""id, "hold" or "any", hold, ms of retention, how many arguments follow for the outcome (it begins
with status and ended_at as names and values), these, then the run to add if any → whether it ended.
"""

RELEASE = (
    _COMMON
    + """
local run = held(ARGV[1], 2)
if not run then return 0 end
move(ARGV[1], run, ARGV[5], '1')
return 1
"""
)
"""id, hold, its owner then → whether it was released."""

RECORDS = (
    _COMMON
    + """
local values = {}
if ARGV[2] == 'all' then values = redis.call('HGETALL', key('values', ARGV[1])) end
return {redis.call('HGETALL', key('steps', ARGV[1])), values}
"""
)
"""id, "all" or "steps" for no values → steps, values; each path, text, path, text …"""

FIND = (
    _COMMON
    + """
local index, limit = key(ARGV[1]), tonumber(ARGV[2])
local found, first = {}, 0
repeat
  local ids, forgotten = redis.call('ZREVRANGE', index, first, first + limit - 1), {}
  for _, id in ipairs(ids) do
    local run = redis.call('HMGET', key('run', id), unpack(ARGV, 3))
    if not run[1] then
      table.insert(forgotten, id)
    elseif #found < limit then
      table.insert(run, 1, id)
      table.insert(found, run)
    end
  end
  for _, id in ipairs(forgotten) do redis.call('ZREM', index, id) end
  first = first + #ids - #forgotten
until #ids < limit or #found >= limit
return found
"""
)
"""index, limit, the names of the fields → for each run its id and the fields."""

OWNERS = (
    _COMMON + "return {redis.call('SMEMBERS', key('holders')), redis.call('HGETALL', key('beats'))}"
)
"""Nothing → owners that have runs; owner, sign of life, owner, sign of life …"""

BEAT = (
    _COMMON
    + """
redis.call('HDEL', key('beats'), ARGV[1])
redis.call('HSET', key('beats'), ARGV[1], ARGV[2])
"""
)
"""owner, count."""

HELD = (
    _COMMON
    + """
local limit, found = tonumber(ARGV[1]), {}
for i = 2, #ARGV do
  local members = redis.call('ZRANGE', key('held', ARGV[i]), 0, limit - 1, 'WITHSCORES')
  for j = 1, #members, 2 do
    table.insert(found, {id = members[j], at = tonumber(members[j + 1])})
  end
end
table.sort(found, function(one, other)
  if one.at == other.at then return one.id < other.id end
  return one.at < other.at
end)
local holds = {}
for i = 1, math.min(limit, #found) do
  local run = redis.call('HMGET', key('run', found[i].id), 'owner', 'attempt', 'queued')
  table.insert(holds, {found[i].id, run[1], run[2], run[3]})
end
return holds
"""
)
"""limit, owners … → holds."""

ADOPT = (
    _COMMON
    + """
local owner, adopted = ARGV[1], {}
for i = 2, #ARGV, 4 do
  local id = ARGV[i]
  local run = held(id, i + 1)
  if run then
    move(id, run, owner, '1')
    if run.queued == '0' then redis.call('HINCRBY', key('run', id), 'crashes', 1) end
    table.insert(adopted, id)
  end
end
return adopted
"""
)
"""new owner, holds … → the ids of those that were adopted."""

PRUNE = (
    _COMMON
    + """
local before, keep, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local too_many, dropped = redis.call('ZCARD', key('ended')) - keep, 0
local oldest = redis.call('ZRANGE', key('ended'), 0, limit - 1, 'WITHSCORES')
for i = 1, #oldest, 2 do
  if dropped >= too_many and tonumber(oldest[i + 1]) >= before then break end
  local id, status, flow = unpack(cjson.decode(oldest[i]))
  redis.call('UNLINK', key('run', id), key('steps', id))
  redis.call('ZREM', key('ended'), oldest[i])
  redis.call('ZREM', key('all'), id)
  redis.call('ZREM', key('flow', flow), id)
  unfile(id, status, flow)
  dropped = dropped + 1
end
return dropped
"""
)
"""ended_before, keep, limit → how many were dropped, those included that expired by themselves."""

ALL = (
    ADD, CLAIM, RECORD, COMPLETE, RELEASE, RECORDS, FIND, OWNERS, BEAT, HELD, ADOPT, PRUNE,
)  # fmt: skip
