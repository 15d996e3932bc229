-- The state of an account at the server, ready to be decided on: `ledger.lua` follows, with the rules. The constants
-- (what begins with `C.`) are written into both by `_redis_script.py`. All keys of an account have one hash tag; dates
-- are in ledger time (see NOW); what is packed is MessagePack:
--   account   hash    `state`: scalars (packed), among them how many there are in the sorted sets; and for each ledger
--                     object that uses the account, its name: who it is (packed)
--   home      zset    tokens that are out, by the date at which they come home
--   places    zset    places of uncertain ends, by the date at which they are free
--   open      zset    leases "id:member:lane:granted_at", by the date at which they run out
--   names     zset    the members again, by name alone, to number them
--   fresh     zset    members that wait, by the date until which they stand in others' way
--   line0..2  zset    members that wait in a lane, by the number of the last grant that they got there

local ACCOUNT, HOME, PLACES, OPEN, NAMES, FRESH = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local LINES = {KEYS[7], KEYS[8], KEYS[9]}
local PREFIX = string.sub(ACCOUNT, 1, -8)
local BULK, HUGE, min, max, call = 3, math.huge, math.min, math.max, redis.call
local LANES, NONE = {1, 2, 3}, {0, 0, 0}

local function text(value)
  if value == HUGE then return 'inf' elseif value == -HUGE then return '-inf' end
  return string.format('%.17g', value)
end

local function number(word)
  if word == 'inf' then return HUGE elseif word == '-inf' then return -HUGE end
  return tonumber(word)
end

local A = cjson.decode(ARGV[1])  -- what follows, then the operation's own; false where there is none
local op, tests_now, me, known, seen_id, expected, margin_s, reserve = unpack(A, 1, 8)
local my_limits = {A[9], A[10], A[11]}

-- state ---------------------------------------------------------------------------------------------------------------

local packed, mine = unpack(call('HMGET', ACCOUNT, 'state', me))
local S = packed and cmsgpack.unpack(packed) or {}

local wall = call('TIME')
wall = tonumber(wall[1]) + tonumber(wall[2]) / 1e6
local NOW = tests_now
if not NOW then
  -- Ledger time never goes back, and does not follow a server's clock that was put forward (or another server's).
  NOW = wall + (S.offset or 0)
  if expected and known == S.generation and NOW > expected + C.LEAP_S then NOW = expected end
  NOW = max(NOW, S.now or NOW)
end
S.now, S.offset = NOW, NOW - wall
local NOW_TEXT = text(NOW)

-- Keep every key for KEEP_S after all that is in it is past; the account goes first.
local function keep_for(more_s, ...)
  local left_ms = string.format('%.0f', (S.kept_until - NOW + more_s) * 1000)
  for _, key in ipairs({...}) do call('PEXPIRE', key, left_ms) end
end

local function keep(...) keep_for(60, ...) end

-- Add to a set of dates; `size` is how many are in it.
local function add(key, date, name, size)
  local added = call('ZADD', key, date, name)
  S.due_at = min(S.due_at, date)
  if size == 0 then keep(key) end
  return added
end

-- members -------------------------------------------------------------------------------------------------------------

local function read_member(name)
  local found = name == me and mine or call('HGET', ACCOUNT, name)
  if not found then return nil end
  local n = cmsgpack.unpack(found)
  return {asks = {n[1], n[2], n[3]}, served = {n[4], n[5], n[6]}, fresh_until = n[7],
    limits = {n[8], n[9], n[10]}, census = n[11], count = n[12], rank = n[13]}
end

local function pack_member(m)
  local asks, served, limits = m.asks, m.served, m.limits
  return cmsgpack.pack({asks[1], asks[2], asks[3], served[1], served[2], served[3], m.fresh_until,
    limits[1], limits[2], limits[3], m.census, m.count, m.rank})
end

local function write_member(name, m)
  call('HSET', ACCOUNT, name, pack_member(m))
  if name == me then mine = false end  -- what was read is old
end

-- Move in the lines from where `was` asked to where `is` asks; in lanes where both do, the place may have changed.
local function line_up(name, served, was, is)
  for lane = 1, 3 do
    if is[lane] > 0 then
      call('ZADD', LINES[lane], served[lane], name)
      if S.asks[lane] == is[lane] then keep(LINES[lane]) end
    elseif was[lane] > 0 then
      call('ZREM', LINES[lane], name)
    end
  end
end

local function count_asks(was, is) for lane = 1, 3 do S.asks[lane] = max(0, S.asks[lane] + is[lane] - was[lane]) end end

local function stop_asking(name)
  local m = read_member(name)
  local was = m and m.asks or LANES  -- a member that is not known may stand in any line
  call('ZREM', FRESH, name)
  line_up(name, NONE, was, NONE)
  if m then
    count_asks(was, NONE)
    m.asks = NONE
    write_member(name, m)
  end
end

local function each_member(visit)
  for _, name in ipairs(call('HKEYS', ACCOUNT)) do
    if name ~= 'state' then visit(name, read_member(name)) end
  end
end

local function forget(name)
  stop_asking(name)
  call('HDEL', ACCOUNT, name)
  call('ZREM', NAMES, name)
  S.census = S.census + 1
end

local function welcome()
  each_member(function(name, m) if m.fresh_until < NOW - C.FORGET_S then forget(name) end end)
  call('ZADD', NAMES, 0, me)
  S.census = S.census + 1
  local new = {asks = NONE, served = {0, 0, 0}, fresh_until = -HUGE, limits = my_limits, census = 0, count = 0,
    rank = 0}
  write_member(me, new)
  keep(NAMES)
  return new
end

-- what was forgotten --------------------------------------------------------------------------------------------------

-- What was forgotten may have been spent to the last call. Members that live tell of their open calls by joining again.
local function begin_generation(is_clean)
  S.generation, S.is_clean = string.format('%.0f-%s', NOW * 1e6, me), is_clean
  if not is_clean then S.hold_until = max(S.hold_until, NOW + margin_s + S.per_s) end
  call('PUBLISH', PREFIX .. 'all', 'join')
end

local function begin()
  call('DEL', unpack(KEYS))
  S = {now = S.now, offset = S.offset, calls = my_limits[1], per_s = my_limits[2], parallel = my_limits[3],
    hold_until = -HUGE, strikes = 0, hold_set_at = -HUGE, lowered_to = HUGE, lowered_at = -HUGE, bulk_at = -HUGE,
    passed = {0, 0, 0}, asks = {0, 0, 0}, homes = 0, lates = 0, opens = 0, census = 0, due_at = HUGE, longest_s = 0,
    kept_until = 0, last_id = math.floor(NOW * 1e6)}  -- no earlier generation has used these numbers
  begin_generation(not known)
end

local function is_something_gone()
  local wanted = {}
  if S.homes > 0 then wanted[1] = HOME end
  if S.lates > 0 then wanted[#wanted + 1] = PLACES end
  if S.opens > 0 then wanted[#wanted + 1] = OPEN end
  if S.asks[1] + S.asks[2] + S.asks[3] > 0 then wanted[#wanted + 1] = FRESH end
  return #wanted > 0 and call('EXISTS', unpack(wanted)) < #wanted
end

if not S.generation then
  begin()
elseif is_something_gone() then  -- evicted, or deleted by hand
  S.homes, S.lates, S.opens = call('ZCARD', HOME), call('ZCARD', PLACES), call('ZCARD', OPEN)
  call('DEL', FRESH, unpack(LINES))
  S.asks = {0, 0, 0}
  each_member(function(name, m) m.asks = NONE; write_member(name, m) end)
  begin_generation(false)
elseif known == S.generation and seen_id > S.last_id then  -- an older copy: restored, or a replica that lagged behind
  S.last_id = seen_id
  begin_generation(false)
elseif known and known ~= S.generation and S.is_clean then  -- begun by somebody who did not know
  begin_generation(false)
end

-- settling ------------------------------------------------------------------------------------------------------------

local calls  -- the limit in force

local function calls_at(date)
  if S.lowered_to == HUGE then return S.calls end
  local crept = max(0.0, date - S.lowered_at) * S.calls / (C.CREEP_WINDOWS * S.per_s)
  return min(S.calls, math.floor(S.lowered_to + crept))
end

local function settle()
  for _, name in ipairs(call('ZRANGEBYSCORE', FRESH, '-inf', '(' .. NOW_TEXT)) do stop_asking(name) end
  local lost = call('ZRANGEBYSCORE', OPEN, '-inf', NOW, 'WITHSCORES')
  for i = 1, #lost, 2 do
    call('ZREM', OPEN, lost[i])
    S.opens = S.opens - 1
    S.homes = S.homes + add(HOME, number(lost[i + 1]) + S.per_s, lost[i], S.homes)
  end
  S.homes = S.homes - call('ZREMRANGEBYSCORE', HOME, '-inf', NOW)
  S.lates = S.lates - call('ZREMRANGEBYSCORE', PLACES, '-inf', NOW)
  S.due_at = HUGE
  for _, key in ipairs({HOME, PLACES, OPEN, FRESH}) do
    local first = call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then S.due_at = min(S.due_at, number(first[2])) end
  end
end

local needed_s = min(margin_s + S.per_s + S.longest_s + max(0, S.hold_until - NOW), C.KEEP_MOST_S)
local is_kept_longer = NOW + needed_s + C.KEEP_S / 2 > S.kept_until
if is_kept_longer then
  S.kept_until = NOW + needed_s + C.KEEP_S
  keep(unpack(KEYS))
end
if S.due_at <= NOW then settle() end
calls = calls_at(NOW)

local my, is_strange = nil, known ~= S.generation
if op == 'take' or op == 'join' or op == 'set_limits' then
  my = read_member(me)
  is_strange = is_strange or not my
  my = my or welcome()
end
