-- One decision on an account's budget, made atomically at the server. `_rules.py` is the definition; this is its port,
-- held to the same answers by a differential test. Constants (table C) are put in front of this text by `_redis_script.py`.
-- Everything about one account has one hash tag:
--   state     hash   scalars, among them the sizes of the sorted sets, so that an eviction is noticed
--   home      zset   tokens that are out, by the date at which they come home
--   places    zset   places of uncertain ends, by the date at which they are free
--   open      zset   leases "id:member:lane:granted_at", by the date at which they run out
--   members   hash   "asks x3, served x3, seen, calls, per_s, parallel" of each ledger object that uses the account
--   fresh     zset   members that wait, by the date until which they stand in others' way
--   line0..2  zset   members that wait in a lane, by the number of the last grant that they got there

local STATE, HOME, PLACES, OPEN, MEMBERS, FRESH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local LINES = {KEYS[7], KEYS[8], KEYS[9]}
local PREFIX = string.sub(STATE, 1, -6)
local BULK, HUGE, min, max = 3, math.huge, math.min, math.max
local PASSED, ASKS = {'passed0', 'passed1', 'passed2'}, {'asks0', 'asks1', 'asks2'}

local function number(text)
  if text == 'inf' then return HUGE elseif text == '-inf' then return -HUGE end
  return tonumber(text)
end

local function text(value)
  if value == HUGE then return 'inf' elseif value == -HUGE then return '-inf' end
  return string.format('%.17g', value)
end

local op, me, known, seen_id = ARGV[1], ARGV[3], ARGV[4], tonumber(ARGV[5])
local margin_s, reserve = tonumber(ARGV[7]), tonumber(ARGV[8])
local my_limits = {calls = tonumber(ARGV[9]), per_s = tonumber(ARGV[10]), parallel = tonumber(ARGV[11])}
local FIRST = 12  -- where an operation's own arguments begin

-- state -----------------------------------------------------------------------------------------------------------------

local FIELDS = {'generation', 'is_clean', 'calls', 'per_s', 'parallel', 'hold_until', 'strikes', 'hold_set_at',
  'lowered_to', 'lowered_at', 'bulk_at', 'passed0', 'passed1', 'passed2', 'asks0', 'asks1', 'asks2', 'last_id', 'now',
  'offset', 'longest_s', 'homes', 'lates', 'opens'}
local S, changed, touched = {}, {}, {}

local function put(name, value)
  if S[name] ~= value then
    S[name], changed[name] = value, true
  end
end

local function add(key, score, member)
  touched[key] = true
  return redis.call('ZADD', key, text(score), member)
end

local raw = redis.call('HMGET', STATE, unpack(FIELDS))
for i, name in ipairs(FIELDS) do
  if raw[i] then S[name] = i == 1 and raw[i] or number(raw[i]) end
end

local server_time = redis.call('TIME')
local wall = tonumber(server_time[1]) + tonumber(server_time[2]) / 1e6
local NOW = tonumber(ARGV[2])  -- only tests say what time it is
if not NOW then
  -- Ledger time never goes back, and does not follow a server's clock that was put forward (or another server's).
  NOW = wall + (S.offset or 0)
  local expected = tonumber(ARGV[6])
  if expected and known == S.generation and NOW > expected + C.LEAP_S then NOW = expected end
  NOW = max(NOW, S.now or NOW)
  put('offset', NOW - wall)
end
put('now', NOW)

local function new_generation(is_clean)
  put('generation', string.format('%.0f-%s', NOW * 1e6, me))
  put('is_clean', is_clean and 1 or 0)
  redis.call('PUBLISH', PREFIX .. 'all', 'join')
end

-- What was forgotten may have been spent to the last call. Members that live tell of their open calls by joining again.
local function count_as_spent()
  new_generation(false)
  put('hold_until', max(S.hold_until, NOW + margin_s + S.per_s))
end

local function begin()
  redis.call('DEL', unpack(KEYS))
  for name, value in pairs(my_limits) do put(name, value) end
  for _, name in ipairs({'hold_until', 'hold_set_at', 'lowered_at', 'bulk_at'}) do put(name, -HUGE) end
  for _, name in ipairs({'strikes', 'passed0', 'passed1', 'passed2', 'asks0', 'asks1', 'asks2', 'longest_s', 'homes',
    'lates', 'opens'}) do put(name, 0) end
  put('lowered_to', HUGE)
  put('last_id', math.floor(NOW * 1e6))  -- numbers that no earlier generation has used
  if known == '' then new_generation(true) else count_as_spent() end
end

local function sizes_differ()
  local homes, lates, opens = redis.call('ZCARD', HOME), redis.call('ZCARD', PLACES), redis.call('ZCARD', OPEN)
  if homes == S.homes and lates == S.lates and opens == S.opens then return false end
  put('homes', homes)
  put('lates', lates)
  put('opens', opens)
  return true
end

if not S.opens then
  begin()
elseif sizes_differ() or (known == S.generation and seen_id > S.last_id)
  or (known ~= '' and known ~= S.generation and S.is_clean == 1) then
  put('last_id', max(S.last_id, seen_id))
  count_as_spent()
end

-- members ---------------------------------------------------------------------------------------------------------------

local function read_member(name)
  local packed = redis.call('HGET', MEMBERS, name)
  if not packed then return nil end
  local n = {}
  for word in string.gmatch(packed, '%S+') do n[#n + 1] = number(word) end
  return {asks = {n[1], n[2], n[3]}, served = {n[4], n[5], n[6]}, seen = n[7],
    limits = {calls = n[8], per_s = n[9], parallel = n[10]}}
end

local function write_member(name, m)
  touched[MEMBERS] = true
  redis.call('HSET', MEMBERS, name, table.concat({text(m.asks[1]), text(m.asks[2]), text(m.asks[3]),
    text(m.served[1]), text(m.served[2]), text(m.served[3]), text(m.seen), text(m.limits.calls), text(m.limits.per_s),
    text(m.limits.parallel)}, ' '))
end

local function stand_in_lines(name, m, asks)
  for lane = 1, 3 do
    if asks[lane] ~= m.asks[lane] then
      put(ASKS[lane], max(0, S[ASKS[lane]] + asks[lane] - m.asks[lane]))
      if asks[lane] == 0 then
        redis.call('ZREM', LINES[lane], name)
      elseif m.asks[lane] == 0 then
        add(LINES[lane], m.served[lane], name)
      end
    end
  end
  m.asks = asks
end

local function leave_lines(name)
  local m = read_member(name)
  redis.call('ZREM', FRESH, name)
  if m then
    stand_in_lines(name, m, {0, 0, 0})
    write_member(name, m)
  else
    for lane = 1, 3 do redis.call('ZREM', LINES[lane], name) end
  end
end

local my = read_member(me)
local is_strange = my == nil or known ~= S.generation
my = my or {asks = {0, 0, 0}, served = {0, 0, 0}, limits = my_limits}
my.seen = NOW

-- settling --------------------------------------------------------------------------------------------------------------

local calls  -- the limit in force

local function calls_at(date)
  if S.lowered_to == HUGE then return S.calls end
  local crept = max(0.0, date - S.lowered_at) * S.calls / (C.CREEP_WINDOWS * S.per_s)
  return min(S.calls, math.floor(S.lowered_to + crept))
end

local function settle()
  local now = text(NOW)
  if S.homes > 0 then put('homes', S.homes - redis.call('ZREMRANGEBYSCORE', HOME, '-inf', now)) end
  if S.lates > 0 then put('lates', S.lates - redis.call('ZREMRANGEBYSCORE', PLACES, '-inf', now)) end
  if S.opens > 0 then
    local lost = redis.call('ZRANGEBYSCORE', OPEN, '-inf', now, 'WITHSCORES')
    for i = 1, #lost, 2 do
      redis.call('ZREM', OPEN, lost[i])
      add(HOME, number(lost[i + 1]) + S.per_s, lost[i])
    end
    put('opens', S.opens - #lost / 2)
    put('homes', S.homes + #lost / 2)
  end
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', FRESH, '-inf', '(' .. now)) do leave_lines(name) end
  calls = calls_at(NOW)
end

-- deciding --------------------------------------------------------------------------------------------------------------

local function nth(key, size, missing)
  if missing <= 0 then return -HUGE elseif missing > size then return HUGE end
  return number(redis.call('ZRANGE', key, missing - 1, missing - 1, 'WITHSCORES')[2])
end

local function ready_at(lane, ahead)
  local spare = lane == BULK and reserve or 0
  local date = max(S.hold_until,
    nth(HOME, S.homes, spare + ahead + 1 - (calls - S.opens - S.homes)),
    nth(PLACES, S.lates, S.opens + S.lates + ahead + 1 - S.parallel))
  if lane == BULK then date = max(date, S.bulk_at + ahead * (S.per_s / S.calls)) end
  return date
end

local function lanes_in_turn()
  if max(S.passed0, S.passed1, S.passed2) < C.PASSED_OVER then return {1, 2, 3} end
  local overdue, others = {}, {}
  for lane = 1, 3 do
    local is_overdue = S[PASSED[lane]] >= C.PASSED_OVER and ready_at(lane, 0) <= NOW
    table.insert(is_overdue and overdue or others, lane)
  end
  for _, lane in ipairs(others) do table.insert(overdue, lane) end
  return overdue
end

local function ahead_of(lane, order)
  local count = 0
  for _, higher in ipairs(order) do
    if higher == lane then break end
    local theirs = S[ASKS[higher]] - my.asks[higher]
    if theirs > 0 and ready_at(higher, 0) <= NOW then count = count + theirs end
  end
  if my.served[lane] > 0 and S[ASKS[lane]] > my.asks[lane] then
    count = count + redis.call('ZCOUNT', LINES[lane], '-inf', '(' .. text(my.served[lane]))
  end
  return count
end

local function turn()
  local date_of_turn, order = HUGE, lanes_in_turn()
  for _, lane in ipairs(order) do
    if my.asks[lane] > 0 then
      local ahead = ahead_of(lane, order)
      local date = ready_at(lane, ahead)
      if date <= NOW then return lane, date end
      if ahead > 0 then date = date + C.TURN_S end
      date_of_turn = min(date_of_turn, date)
    end
  end
  return nil, date_of_turn
end

local function grant(lane, lease_s)
  for other = 1, 3 do
    if other ~= lane and S[ASKS[other]] > 0 and ready_at(other, 0) <= NOW then
      put(PASSED[other], S[PASSED[other]] + 1)
    end
  end
  put(PASSED[lane], 0)
  if lane == BULK then
    local interval = S.per_s / S.calls
    put('bulk_at', max(S.bulk_at, NOW - max(C.CATCH_UP * interval, C.CATCH_UP_S)) + interval)
  end
  put('last_id', S.last_id + 1)
  my.served[lane] = S.last_id
  local asks = {my.asks[1], my.asks[2], my.asks[3]}
  asks[lane] = asks[lane] - 1
  stand_in_lines(me, my, asks)
  if asks[lane] > 0 then add(LINES[lane], S.last_id, me) end
  add(OPEN, NOW + lease_s, table.concat({text(S.last_id), me, lane - 1, text(NOW)}, ':'))
  put('opens', S.opens + 1)
end

local function wake_next()
  for _, lane in ipairs(lanes_in_turn()) do
    if S[ASKS[lane]] > 0 and ready_at(lane, 0) <= NOW then
      local name = redis.call('ZRANGE', LINES[lane], 0, 0)[1]
      if name == me then return 1 end
      if name then redis.call('PUBLISH', PREFIX .. 'wake:' .. name, 'ask') end
      return 0
    end
  end
  return 0
end

-- operations: each returns a list of words ------------------------------------------------------------------------------

local operations = {}

function operations.take(asks0, asks1, asks2, lease_s)
  lease_s = number(lease_s)
  put('longest_s', max(S.longest_s, lease_s))
  stand_in_lines(me, my, {tonumber(asks0), tonumber(asks1), tonumber(asks2)})
  local is_withdrawn = my.asks[1] + my.asks[2] + my.asks[3] == 0
  local lane, date = turn()
  local words = {'wait', ''}
  if lane then
    grant(lane, lease_s)
    words = {'lease', '', text(S.last_id), lane - 1, text(NOW + lease_s)}
    lane, date = turn()
  end
  if lane then
    date = NOW
  elseif date == HUGE then  -- whoever is to wake this one may vanish without a word
    date = NOW + C.PATIENCE_S
  end
  words[2] = text(date)
  if my.asks[1] + my.asks[2] + my.asks[3] > 0 then
    add(FRESH, date + 2 * C.TURN_S, me)
  else
    redis.call('ZREM', FRESH, me)
  end
  write_member(me, my)
  if is_withdrawn or words[3] then wake_next() end
  return words
end

local function squeeze(used)
  local foreign = used < C.SQUEEZE_FULL * calls and calls - used or 0
  local least = max(1.0, C.LEAST_SHARE * S.calls)
  put('lowered_to', max(least, calls * (foreign ~= 0 and C.SQUEEZE or C.SQUEEZE_FULL)))
  put('lowered_at', S.hold_until)
  calls = calls_at(S.lowered_at)
  return foreign
end

local function refused(granted_at, used, retry_after_s, stretch)
  local is_new, pause_s, foreign = granted_at > S.hold_set_at, tonumber(retry_after_s), 0
  if is_new then
    put('strikes', S.strikes + 1)
    put('hold_set_at', NOW)
    pause_s = pause_s or C.LADDER[min(S.strikes, #C.LADDER)] * tonumber(stretch)
  end
  if pause_s then put('hold_until', max(S.hold_until, NOW + pause_s)) end
  if is_new then foreign = squeeze(used) end
  return {text(S.hold_until), text(S.strikes), is_new and 1 or 0, text(foreign), text(calls)}
end

function operations.give_back(lease, end_, granted_at, retry_after_s, stretch, generation)
  local used = S.opens + S.homes
  if redis.call('ZREM', OPEN, lease) == 1 then
    put('opens', S.opens - 1)
  elseif generation == S.generation then
    return {0}
  end  -- a lease from before the memory was lost counts as open
  granted_at = number(granted_at)
  if end_ == 'uncertain' then
    put('lates', S.lates + add(PLACES, NOW + margin_s, lease))
    put('homes', S.homes + add(HOME, NOW + margin_s + S.per_s, lease))
  elseif end_ ~= 'unsent' then
    put('homes', S.homes + add(HOME, NOW + S.per_s, lease))
  end
  local words = {}
  if end_ == 'refused' then
    words = refused(granted_at, used, retry_after_s, stretch)
  elseif end_ == 'answered' and S.strikes > 0 and granted_at > S.hold_set_at then
    put('strikes', 0)
  end
  table.insert(words, 1, wake_next())
  return words
end

function operations.renew(lease_s, ...)
  local words = {}
  for i, lease in ipairs({...}) do
    local is_open = redis.call('ZSCORE', OPEN, lease)
    if is_open then add(OPEN, NOW + number(lease_s), lease) end
    words[i] = is_open and 1 or 0
  end
  return words
end

function operations.hold(for_s)
  put('hold_until', max(S.hold_until, NOW + number(for_s)))
  return {}
end

function operations.resume()
  put('hold_until', -HUGE)
  redis.call('PUBLISH', PREFIX .. 'all', 'ask')
  return {}
end

local function all_members()
  local flat, found = redis.call('HKEYS', MEMBERS), {}
  for _, name in ipairs(flat) do found[name] = read_member(name) end
  return found
end

local function limits_of(m)
  return {text(m.calls), text(m.per_s), text(m.parallel)}
end

local function keep_the_strictest(members)
  local first = true
  for _, m in pairs(members) do
    put('calls', first and m.limits.calls or min(S.calls, m.limits.calls))
    put('per_s', first and m.limits.per_s or max(S.per_s, m.limits.per_s))
    put('parallel', first and m.limits.parallel or min(S.parallel, m.limits.parallel))
    first = false
  end
end

local function forget(name)
  leave_lines(name)
  redis.call('HDEL', MEMBERS, name)
end

function operations.set_limits(calls_, per_s, parallel)
  local limits = {calls = tonumber(calls_), per_s = tonumber(per_s), parallel = tonumber(parallel)}
  write_member(me, my)
  for name, m in pairs(all_members()) do
    m.limits = limits
    write_member(name, m)
  end
  for name, value in pairs(limits) do put(name, value) end
  redis.call('PUBLISH', PREFIX .. 'all', 'limits ' .. table.concat(limits_of(limits), ' '))
  return {}
end

function operations.join(...)  -- pairs of an open lease and the seconds that it has left
  my.limits = my_limits
  write_member(me, my)
  local members = all_members()
  for name, m in pairs(members) do
    if name ~= me and m.seen < NOW - C.FORGET_S and not redis.call('ZSCORE', FRESH, name) then
      forget(name)
      members[name] = nil
    end
  end
  keep_the_strictest(members)
  local leases = {...}
  for i = 1, #leases, 2 do
    put('longest_s', max(S.longest_s, number(leases[i + 1])))
    put('opens', S.opens + add(OPEN, NOW + number(leases[i + 1]), leases[i]))
  end
  return limits_of(S)
end

function operations.leave()
  forget(me)
  keep_the_strictest(all_members())
  wake_next()
  return {}
end

function operations.look()
  return {}
end

-- the decision ----------------------------------------------------------------------------------------------------------

settle()
local words = operations[op](unpack(ARGV, FIRST))
local header = table.concat({text(NOW), S.generation, text(S.last_id), is_strange and 1 or 0}, ' ')

local pairs_, ttl_s = {}, C.KEEP_S + margin_s + S.per_s + S.longest_s + max(0, S.hold_until - NOW)
for name in pairs(changed) do
  pairs_[#pairs_ + 1] = name
  pairs_[#pairs_ + 1] = name == 'generation' and S[name] or text(S[name])
end
local ttl_ms = string.format('%.0f', min(ttl_s, C.KEEP_MOST_S) * 1000)
redis.call('HSET', STATE, unpack(pairs_))
redis.call('PEXPIRE', STATE, ttl_ms)
for key in pairs(touched) do redis.call('PEXPIRE', key, ttl_ms + 60000) end  -- the state is the first to go

if op == 'look' then
  local values = {}
  for i, name in ipairs(FIELDS) do values[i] = i == 1 and S[name] or text(S[name]) end
  return {header, values, redis.call('ZRANGE', HOME, 0, -1, 'WITHSCORES'),
    redis.call('ZRANGE', PLACES, 0, -1, 'WITHSCORES'), redis.call('ZRANGE', OPEN, 0, -1, 'WITHSCORES'),
    redis.call('HGETALL', MEMBERS), redis.call('ZRANGE', FRESH, 0, -1, 'WITHSCORES')}
end
return header .. ' ' .. table.concat(words, ' ')
