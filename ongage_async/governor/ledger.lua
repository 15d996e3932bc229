-- One decision on an account's budget, made atomically at the server; `ledger_state.lua` has made the state ready.
-- `_rules.py` is the definition; this is its port, held to the same answers by a differential test.

-- deciding ------------------------------------------------------------------------------------------------------------

local function nth(key, size, missing)
  if missing <= 0 then return -HUGE elseif missing > size then return HUGE end
  return number(call('ZRANGE', key, missing - 1, missing - 1, 'WITHSCORES')[2])
end

-- As far as pauses, tokens and the pace of BULK go, were there places enough.
local function due_at(lane, ahead)
  local spare = lane == BULK and reserve or 0
  local date = max(S.hold_until, nth(HOME, S.homes, spare + ahead + 1 - (calls - S.opens - S.homes)))
  if lane == BULK then date = max(date, S.bulk_at + ahead * (S.per_s / S.calls)) end
  return date
end

local function ready_at(lane, ahead)
  return max(due_at(lane, ahead), nth(PLACES, S.lates, S.opens + S.lates + ahead + 1 - S.parallel))
end

local function lanes_in_turn()
  if max(S.passed[1], S.passed[2], S.passed[3]) < C.PASSED_OVER then return LANES end
  local overdue, others = {}, {}
  for lane = 1, 3 do
    local is_overdue = S.passed[lane] >= C.PASSED_OVER and ready_at(lane, 0) <= NOW
    table.insert(is_overdue and overdue or others, lane)
  end
  for _, lane in ipairs(others) do table.insert(overdue, lane) end
  return overdue
end

-- Calls of others in higher lanes, and how many members of this lane go before me. I stand in my lines.
local function before_me(lane, order)
  local higher_calls = 0
  for _, higher in ipairs(order) do
    if higher == lane then break end
    local theirs = S.asks[higher] - my.asks[higher]
    if theirs > 0 and ready_at(higher, 0) <= NOW then higher_calls = higher_calls + theirs end
  end
  return higher_calls, S.asks[lane] > my.asks[lane] and call('ZRANK', LINES[lane], me) or 0
end

local function turn()
  local date_of_turn, due, least_rank, order = HUGE, HUGE, HUGE, lanes_in_turn()
  for _, lane in ipairs(order) do
    if my.asks[lane] > 0 then
      local higher, rank = before_me(lane, order)
      local date = ready_at(lane, higher + rank)
      if date <= NOW then return lane, date end
      local late_s = higher + rank > 0 and C.TURN_S or 0
      date_of_turn = min(date_of_turn, date + late_s)
      local without_place = due_at(lane, higher + rank)
      if without_place > NOW then due = min(due, without_place + late_s) end
      least_rank = min(least_rank, rank)
    end
  end
  if date_of_turn == HUGE and my.count > 1 then  -- whoever is to wake this one may vanish without a word
    if least_rank == HUGE then least_rank = 0 end
    date_of_turn = NOW + (least_rank == 1 and C.SECONDS_PATIENCE_S or max(C.PATIENCE_S, least_rank * (S.per_s / S.calls)))
    date_of_turn = min(date_of_turn, due)  -- a place that is given back before the token is home wakes nobody
  end
  return nil, date_of_turn
end

local function grant(lane, lease_s)
  for other = 1, 3 do
    if other ~= lane and S.asks[other] > 0 and ready_at(other, 0) <= NOW then S.passed[other] = S.passed[other] + 1 end
  end
  S.passed[lane] = 0
  if lane == BULK then
    local interval = S.per_s / S.calls
    S.bulk_at = max(S.bulk_at, NOW - max(C.CATCH_UP * interval, C.CATCH_UP_S)) + interval
  end
  S.last_id = S.last_id + 1
  my.served[lane] = S.last_id
  my.asks[lane] = my.asks[lane] - 1
  S.asks[lane] = max(0, S.asks[lane] - 1)
  local id = text(S.last_id)
  add(OPEN, NOW + lease_s, id .. ':' .. me .. ':' .. lane - 1 .. ':' .. NOW_TEXT, S.opens)
  S.opens = S.opens + 1
  return ' ' .. id .. ' ' .. lane - 1
end

-- Wake whoever is next, once until it asks, and expect it at once. Nobody listens for the dead: then the next one is woken.
local function wake_next()  -- returns 1 if that is me
  for _, lane in ipairs(lanes_in_turn()) do
    if S.asks[lane] > 0 and ready_at(lane, 0) <= NOW then
      for place, name in ipairs(call('ZRANGE', LINES[lane], 0, C.DEAF)) do
        if place == 1 then
          call('ZADD', FRESH, 'XX', 'LT', NOW + 2 * C.TURN_S, name)
          S.due_at = min(S.due_at, NOW + 2 * C.TURN_S)
        end
        if name == me then return 1 end
        if name == S.told then return 0 end
        if call('PUBLISH', PREFIX .. 'wake:' .. name, 'ask') > 0 then
          S.told = name
          return 0
        end
      end
      return 0
    end
  end
  return 0
end

-- operations: each returns its words ----------------------------------------------------------------------------------

local operations = {}

function operations.take(asks1, asks2, asks3, lease_s)
  S.longest_s = max(S.longest_s, lease_s)
  if S.told == me then S.told = nil end
  if my.census ~= S.census then
    if call('ZADD', NAMES, 0, me) == 1 then  -- they were evicted
      S.census = S.census + 1
      keep(NAMES)
    end
    my.census, my.count, my.rank = S.census, call('ZCARD', NAMES), call('ZRANK', NAMES, me)
  end
  local were_asking, was = S.asks[1] + S.asks[2] + S.asks[3], my.asks
  local others_wait = were_asking > was[1] + was[2] + was[3]
  my.asks = {asks1, asks2, asks3}
  count_asks(was, my.asks)
  local stood = {asks1, asks2, asks3}
  if others_wait then line_up(me, my.served, was, my.asks) else stood = was end
  local lane, date = turn()
  local lease = ''
  if lane then
    lease = grant(lane, lease_s)
    if others_wait then line_up(me, my.served, stood, my.asks) end
    lane, date = turn()
  end
  if lane then date = NOW end
  if not others_wait then line_up(me, my.served, stood, my.asks) end
  my.fresh_until = min(date, NOW + lease_s) + 2 * C.TURN_S
  if my.asks[1] + my.asks[2] + my.asks[3] > 0 then
    add(FRESH, my.fresh_until, me, were_asking)
  elseif was[1] + was[2] + was[3] > 0 then
    call('ZREM', FRESH, me)
  end
  wake_next()
  return text(date) .. ' ' .. my.count .. ' ' .. my.rank .. lease
end

local function squeeze(used)
  local foreign = used < C.SQUEEZE_FULL * calls and calls - used or 0
  S.lowered_to = max(1.0, C.LEAST_SHARE * S.calls, calls * (foreign ~= 0 and C.SQUEEZE or C.SQUEEZE_FULL))
  S.lowered_at = S.hold_until
  calls = calls_at(S.lowered_at)
  return foreign
end

local function refused(granted_at, used, retry_after_s, stretch)
  local is_new, pause_s, foreign = granted_at > S.hold_set_at, retry_after_s, 0
  local ladder = C.LADDER
  if is_new then
    S.strikes, S.hold_set_at = S.strikes + 1, NOW
    pause_s = pause_s or ladder[min(S.strikes, #ladder)] * stretch
  end
  if pause_s then S.hold_until = max(S.hold_until, NOW + pause_s) end
  if is_new then foreign = squeeze(used) end
  return table.concat({'', text(S.hold_until), S.strikes, is_new and 1 or 0, foreign, calls, used}, ' ')
end

function operations.give_back(lease, end_, granted_at, retry_after_s, stretch, generation)
  local used = S.opens + S.homes
  if call('ZREM', OPEN, lease) == 1 then
    S.opens = S.opens - 1
  elseif generation == S.generation then
    return '0'
  end  -- a lease from before the memory was lost counts as open
  if end_ == 'uncertain' then
    S.lates = S.lates + add(PLACES, NOW + margin_s, lease, S.lates)
    S.homes = S.homes + add(HOME, NOW + margin_s + S.per_s, lease, S.homes)
  elseif end_ ~= 'unsent' then
    S.homes = S.homes + add(HOME, NOW + S.per_s, lease, S.homes)
  end
  local pause = ''
  if end_ == 'refused' then
    pause = refused(granted_at, used, retry_after_s, stretch)
  elseif end_ == 'answered' and granted_at > S.hold_set_at then
    S.strikes = 0
  end
  return wake_next() .. pause
end

-- The others are made when one of them is asked for: to make them all would cost every take and give_back a microsecond.
local function make_the_others()
  function operations.renew(lease_s, ...)
    local words = {}
    for i, lease in ipairs({...}) do
      words[i] = call('ZSCORE', OPEN, lease) and 1 or 0
      if words[i] == 1 then add(OPEN, NOW + lease_s, lease, S.opens) end
    end
    return table.concat(words, ' ')
  end

  function operations.hold(for_s)
    S.hold_until = max(S.hold_until, NOW + for_s)
    return ''
  end

  function operations.resume()
    S.hold_until = -HUGE
    call('PUBLISH', PREFIX .. 'all', 'ask')
    return ''
  end

  -- Tokens that are out come home a window of the new length after their answer; a longer one counts earlier calls
  -- again.
  local function change_limits(most_calls, per_s, parallel)
    local by_s = per_s - S.per_s
    S.calls, S.per_s, S.parallel = most_calls, per_s, parallel
    if by_s == 0 then return end
    local dates = call('ZRANGE', HOME, 0, -1, 'WITHSCORES')
    for i = 1, #dates, 2 do call('ZADD', HOME, number(dates[i + 1]) + by_s, dates[i]) end
    S.due_at = NOW
    if by_s > 0 then S.hold_until = max(S.hold_until, NOW) + by_s end
  end

  local function limits_words() return S.calls .. ' ' .. text(S.per_s) .. ' ' .. S.parallel end

  function operations.set_limits(...)
    change_limits(...)
    each_member(function(name, m)
      m.limits = {S.calls, S.per_s, S.parallel}
      write_member(name, m)
    end)
    call('PUBLISH', PREFIX .. 'all', 'limits ' .. limits_words())
    return ''
  end

  local function keep_the_strictest()
    local calls, per_s, parallel
    each_member(function(_, m)
      calls = min(calls or m.limits[1], m.limits[1])
      per_s = max(per_s or m.limits[2], m.limits[2])
      parallel = min(parallel or m.limits[3], m.limits[3])
    end)
    if calls then change_limits(calls, per_s, parallel) end
  end

  function operations.join(...)  -- triples: an open lease, the seconds that it has left, its generation
    if is_strange then my.limits = my_limits end  -- else they may have been set for all meanwhile
    my.fresh_until = max(my.fresh_until, NOW)
    write_member(me, my)
    keep_the_strictest()
    local leases = {...}
    for i = 1, #leases, 3 do
      local left_s = leases[i + 1]
      if leases[i + 2] ~= S.generation then  -- else it is known, or it ran out
        S.longest_s = max(S.longest_s, left_s)
        S.opens = S.opens + add(OPEN, NOW + left_s, leases[i], S.opens)
      end
    end
    return limits_words()
  end

  function operations.leave()
    forget(me)
    keep_the_strictest()
    wake_next()
    return ''
  end

  function operations.look() return '' end
end

-- the decision --------------------------------------------------------------------------------------------------------

if not operations[op] then make_the_others() end
local words = operations[op](unpack(A, 12))
if op == 'take' then
  call('HSET', ACCOUNT, 'state', cmsgpack.pack(S), me, pack_member(my))
else
  call('HSET', ACCOUNT, 'state', cmsgpack.pack(S))
end
if is_kept_longer then keep_for(0, ACCOUNT) end
local answer = NOW_TEXT .. ' ' .. S.generation .. ' ' .. text(S.last_id) .. (is_strange and ' 1 ' or ' 0 ') .. words
if op ~= 'look' then return {ok = answer} end  -- a line, sooner read than a number of bytes and then the bytes

local state = {S.calls, S.per_s, S.parallel, S.hold_until, S.strikes, S.hold_set_at, S.lowered_to, S.lowered_at,
  S.bulk_at, S.passed[1], S.passed[2], S.passed[3], S.last_id}
local members = {}
each_member(function(name, m)
  members[#members + 1] = table.concat({name, text(m.fresh_until), unpack(m.asks)}, ' ') .. ' '
    .. table.concat({text(m.served[1]), text(m.served[2]), text(m.served[3])}, ' ')
end)
for i, value in ipairs(state) do state[i] = text(value) end
return {answer, state, call('ZRANGE', HOME, 0, -1, 'WITHSCORES'), call('ZRANGE', PLACES, 0, -1, 'WITHSCORES'),
  call('ZRANGE', OPEN, 0, -1, 'WITHSCORES'), members}
