-- The steps of an outbox in Redis or Valkey: each call of this script is one, atomic. `_redis.py` says what they mean.
--
-- Keys, all with one hash tag, so that they lie on one node of a cluster (P is KEYS[1]):
--   P entry:<id>     hash     the entry
--   P lane:<n>       stream   ids that wait or are being sent, in the order they were put; group "senders"
--   P key:<key>      string   id
--   P all            zset     id by number
--   P is:<status>    zset     id by number
--   P late           zset     queued ids by the time from which they are not sent any more
--   P settled        zset     settled ids by time, those that are forgotten after a while
--   P numbers        counter
-- Who has an entry is said twice: the group's list of pending entries tells who is alive (its idle time), the hash who
-- may write. Time is the server's.

local P, step = KEYS[1], ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local GROUP = 'senders'

local function exact(number) return string.format('%.6f', number) end
local function entry(id) return P .. 'entry:' .. id end
local function lane(n) return P .. 'lane:' .. n end
local function is(status) return P .. 'is:' .. status end
local function word(id, name) return redis.call('HGET', entry(id), name) end

local function whole(id)
  return {id, redis.call('ZSCORE', P .. 'all', id), exact(now), redis.call('HGETALL', entry(id))}
end

local function join(n)
  if redis.call('EXISTS', lane(n)) == 0 then
    redis.call('XGROUP', 'CREATE', lane(n), GROUP, '0', 'MKSTREAM')
  end
end

local function stand_in_line(id)
  local n = word(id, 'lane')
  join(n)
  redis.call('HSET', entry(id), 'at', redis.call('XADD', lane(n), '*', 'id', id))
end

local function leave_line(id)
  local at, n = word(id, 'at'), word(id, 'lane')
  if at then
    redis.call('XACK', lane(n), GROUP, at)
    redis.call('XDEL', lane(n), at)
    redis.call('HDEL', entry(id), 'at')
  end
end

local function become(id, status)
  local number = redis.call('ZSCORE', P .. 'all', id)
  redis.call('ZREM', is(word(id, 'status')), id)
  redis.call('ZADD', is(status), number, id)
  redis.call('HSET', entry(id), 'status', status)
  local expires_at = word(id, 'expires_at')
  if status == 'queued' and expires_at then
    redis.call('ZADD', P .. 'late', expires_at, id)
  else
    redis.call('ZREM', P .. 'late', id)
  end
end

local function finish(id, status, reason, answer)
  leave_line(id)
  become(id, status)
  redis.call('HSET', entry(id), 'settled_at', exact(now), 'reason', reason, 'answer', answer)
  if status == 'uncertain' then
    redis.call('ZREM', P .. 'settled', id)  -- its owner may still come back and tell the truth
  else
    redis.call('HDEL', entry(id), 'owner')
    redis.call('ZADD', P .. 'settled', exact(now), id)
  end
end

local function is_late(id)
  local expires_at = word(id, 'expires_at')
  return expires_at and tonumber(expires_at) <= now
end

local function expire(id) finish(id, 'expired', 'its time was over', '') end

local function take_over(id, owner)
  local status = word(id, 'status')
  if status == 'sending' and word(id, 'owner') == owner then return false end
  if status == 'sending' and word(id, 'repeat') ~= 'safe' then
    finish(id, 'uncertain', 'its sender died while it was being sent', '')
    return false
  end
  become(id, 'queued')
  redis.call('HSET', entry(id), 'owner', owner)
  return true
end

local function id_at(n, at)
  local found = redis.call('XRANGE', lane(n), at, at)[1]
  return found and found[2][2]
end

-- Tell whether an entry in the line is there; one that was deleted by hand leaves it, lest it stop all others.
local function is_there(id, n, at)
  if word(id, 'status') then return true end
  redis.call('XACK', lane(n), GROUP, at)
  redis.call('XDEL', lane(n), at)
  for _, set in ipairs({'all', 'late', 'is:queued', 'is:sending'}) do redis.call('ZREM', P .. set, id) end
  return false
end

local steps = {}

-- Forget senders that have nothing and were long silent: each process that ever sent left its name.
function steps.join(lease_ms)
  for n = 0, 2 do
    join(n)
    for _, told in ipairs(redis.call('XINFO', 'CONSUMERS', lane(n), GROUP)) do
      local one = {}
      for at = 1, #told, 2 do one[told[at]] = told[at + 1] end
      if one.pending == 0 and one.idle > 10 * tonumber(lease_ms) then
        redis.call('XGROUP', 'DELCONSUMER', lane(n), GROUP, one.name)
      end
    end
  end
  return 'OK'
end

function steps.put(id, key, kind, arguments, n, again, tenant, expires_in_s)
  local known = redis.call('EXISTS', entry(id)) == 1 and id
  if key ~= '' then known = known or redis.call('GET', P .. 'key:' .. key) end
  if known then
    return {known, (word(known, 'kind') == kind and word(known, 'arguments') == arguments) and 1 or 0}
  end
  local number = redis.call('INCR', P .. 'numbers')
  redis.call('HSET', entry(id), 'kind', kind, 'arguments', arguments, 'lane', n, 'repeat', again, 'tenant', tenant,
    'status', 'queued', 'attempts', 0, 'put_at', exact(now))
  if key ~= '' then
    redis.call('HSET', entry(id), 'key', key)
    redis.call('SET', P .. 'key:' .. key, id)
  end
  if expires_in_s ~= '' then redis.call('HSET', entry(id), 'expires_at', exact(now + tonumber(expires_in_s))) end
  redis.call('ZADD', P .. 'all', number, id)
  become(id, 'queued')
  stand_in_line(id)
  return {id, 1}
end

function steps.claim(owner, lease_ms, ...)
  local room, taken = {...}, {}
  for n = 0, 2 do
    local left = tonumber(room[n + 1])
    join(n)
    local from, is_through = '0-0', false
    while left > 0 and not is_through do  -- each look passes over ten times COUNT entries of the living at most
      local old = redis.call('XAUTOCLAIM', lane(n), GROUP, owner, lease_ms, from, 'COUNT', left, 'JUSTID')
      from, is_through = old[1], old[1] == '0-0'
      for _, at in ipairs(old[2]) do
        local id = id_at(n, at)
        if id and is_there(id, n, at) and take_over(id, owner) then
          taken[#taken + 1] = whole(id)
          left = left - 1
        end
      end
    end
    local new = left > 0 and redis.call('XREADGROUP', 'GROUP', GROUP, owner, 'COUNT', left, 'STREAMS', lane(n), '>')
    for _, item in ipairs(new and new[1][2] or {}) do
      local id = item[2][2]
      if is_there(id, n, item[1]) then
        redis.call('HSET', entry(id), 'owner', owner)
        taken[#taken + 1] = whole(id)
      end
    end
  end
  return taken
end

function steps.begin(owner, id)
  if word(id, 'status') ~= 'queued' or word(id, 'owner') ~= owner then return 0 end
  if is_late(id) then
    expire(id)
    return 0
  end
  become(id, 'sending')
  redis.call('HINCRBY', entry(id), 'attempts', 1)
  return 1
end

function steps.settle(owner, id, status, reason, answer)
  if word(id, 'owner') == owner then finish(id, status, reason, answer) end
  return 'OK'
end

function steps.keep(owner, id, reason)
  if word(id, 'owner') == owner and word(id, 'status') == 'sending' then
    become(id, 'queued')
    redis.call('HSET', entry(id), 'reason', reason)
  end
  return 'OK'
end

function steps.sweep(owner, keep_s, most, ...)
  for _, id in ipairs({...}) do
    local at = word(id, 'at')
    if at and word(id, 'owner') == owner then
      redis.call('XCLAIM', lane(word(id, 'lane')), GROUP, owner, 0, at, 'JUSTID')
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'late', '-inf', exact(now), 'LIMIT', 0, most)) do
    if word(id, 'status') then expire(id) else redis.call('ZREM', P .. 'late', id) end
  end
  local before = exact(now - tonumber(keep_s))
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'settled', '-inf', before, 'LIMIT', 0, most)) do
    local key = word(id, 'key')
    if key then redis.call('DEL', P .. 'key:' .. key) end
    for _, set in ipairs({'all', 'settled', 'is:' .. (word(id, 'status') or '')}) do redis.call('ZREM', P .. set, id) end
    redis.call('DEL', entry(id))
  end
  return 'OK'
end

function steps.release(owner)
  for n = 0, 2 do
    join(n)
    for _, item in ipairs(redis.call('XPENDING', lane(n), GROUP, '-', '+', 1000, owner)) do
      local id = id_at(n, item[1])
      if id and word(id, 'status') == 'queued' then
        redis.call('HDEL', entry(id), 'owner')
        redis.call('XCLAIM', lane(n), GROUP, owner, 0, item[1], 'IDLE', 1000000000, 'JUSTID')
      end
    end
  end
  return 'OK'
end

function steps.decide(id, status, ...)
  for _, allowed in ipairs({...}) do
    if word(id, 'status') == allowed then
      if status == 'queued' then
        redis.call('HDEL', entry(id), 'owner', 'reason', 'answer', 'settled_at', 'expires_at')
        redis.call('ZREM', P .. 'settled', id)
        become(id, 'queued')
        stand_in_line(id)
      else
        finish(id, status, '', '')
      end
      return 1
    end
  end
  return 0
end

function steps.get(id)
  return redis.call('EXISTS', entry(id)) == 1 and whole(id) or false
end

function steps.page(status, after, most)
  local set = status == '' and P .. 'all' or is(status)
  local found = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '(' .. after, '+inf', 'LIMIT', 0, most)) do
    if word(id, 'status') then found[#found + 1] = whole(id) end
  end
  return found
end

function steps.statistics(...)
  local counts = {}
  for at, status in ipairs({...}) do counts[at] = redis.call('ZCARD', is(status)) end
  local oldest = redis.call('ZRANGE', is('queued'), 0, 0)[1]
  return {counts, oldest and exact(now - tonumber(word(oldest, 'put_at') or now)) or '0'}
end

return steps[step](unpack(ARGV, 2))
