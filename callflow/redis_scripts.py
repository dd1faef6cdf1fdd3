"""What the Redis ledger has done inside Redis, each script in one atomic step.

Keys are put together from the prefix (the first argument) and names: one Redis, not a cluster.
Moments are handed over as text, because Lua would cut them down to 14 digits.
"""

from __future__ import annotations

UPDATE = """
local prefix, call_id, record, plan = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local told = cjson.decode(ARGV[5])
local key, journal = prefix .. 'call:' .. call_id, prefix .. 'journal:' .. call_id
local before = redis.call('HMGET', key, 'version', 'writes')
local writes = before[2] or ''
if string.find(writes, told.write, 1, true) then return 1 end
if (before[1] or '0') ~= told.version then return 0 end
for destination, count in pairs(told.counted) do
  if redis.call('ZCARD', prefix .. 'open:' .. destination) ~= count then return 0 end
end
redis.call('HSET', key, 'record', record, 'version', told.next,
  'writer', told.writer, 'writes', told.write .. string.sub(writes, 1, 7 * #told.write))
if plan ~= '' then redis.call('HSET', key, 'plan', plan) end
redis.call('EXPIRE', key, told.keep)
for _, leg in ipairs(told.legs) do
  local open, member = prefix .. 'open:' .. leg.destination, call_id .. ' ' .. leg.token
  if leg.open then
    redis.call('ZADD', open, told.expires, member)
    redis.call('EXPIRE', open, told.keep)
    redis.call('SADD', prefix .. 'busy', leg.destination)
  else
    redis.call('ZREM', open, member)
  end
end
redis.call('ZADD', prefix .. 'seen', told.seen, call_id)
if told.wake then
  redis.call('ZADD', prefix .. 'wake', told.wake, call_id)
else
  redis.call('ZREM', prefix .. 'wake', call_id)
end
for _, index in ipairs({'seen', 'wake'}) do
  redis.call('ZREMRANGEBYSCORE', prefix .. index, '(0', told.expired)
  redis.call('EXPIRE', prefix .. index, told.keep)
end
for entry = 6, #ARGV do redis.call('RPUSH', journal, ARGV[entry]) end
redis.call('EXPIRE', journal, told.keep)
redis.call('PUBLISH', prefix .. 'written', told.writer .. ' ' .. told.next .. ' ' .. call_id)
return 1
"""
"""Write what a change made of a record, if nothing that it went by has changed since: 1, else 0.

A write is known by its name for the next seven, so that repeating one whose answer was lost does
no harm.
"""

IN_PROGRESS = """
local prefix, found = ARGV[1], {}
for _, destination in ipairs(redis.call('SMEMBERS', prefix .. 'busy')) do
  local open = prefix .. 'open:' .. destination
  redis.call('ZREMRANGEBYSCORE', open, '-inf', ARGV[2])
  local count = redis.call('ZCARD', open)
  if count == 0 then
    redis.call('SREM', prefix .. 'busy', destination)
  else
    table.insert(found, destination)
    table.insert(found, count)
  end
end
return found
"""
"""Count the legs in progress by destination, and forget the destinations that have none."""

SLOT = """
local key = ARGV[1] .. 'pacing:' .. ARGV[2]
local now, within = tonumber(ARGV[3]), tonumber(ARGV[4])
local slot = math.max(now, tonumber(redis.call('GET', key) or 0))
if slot > now + 2 * within then
  slot = now
elseif slot > now + within then
  return false
end
redis.call('SET', key, string.format('%.17g', slot + tonumber(ARGV[5])), 'EX', ARGV[6])
return string.format('%.17g', slot)
"""
"""Take the next free moment of a pace, as `callflow.ledger.next_free` finds it."""

PRUNE = """
local prefix = ARGV[1]
local calls = redis.call('ZRANGEBYSCORE', prefix .. 'seen', '-inf', '(' .. ARGV[2],
  'LIMIT', 0, ARGV[3])
for _, call_id in ipairs(calls) do
  local key = prefix .. 'call:' .. call_id
  local record = redis.call('HGET', key, 'record')
  for _, leg in ipairs(record and cjson.decode(record).legs or {}) do
    redis.call('ZREM', prefix .. 'open:' .. leg.destination, call_id .. ' ' .. leg.token)
  end
  redis.call('DEL', key, prefix .. 'journal:' .. call_id)
  redis.call('ZREM', prefix .. 'seen', call_id)
  redis.call('ZREM', prefix .. 'wake', call_id)
end
return #calls
"""
"""Forget some of the calls that were seen before an instant; return how many."""

VERSIONS = """
local found = {}
for call = 2, #ARGV do
  local there = redis.call('HMGET', ARGV[1] .. 'call:' .. ARGV[call], 'version', 'writer')
  found[call - 1] = {tonumber(there[1] or 0), there[2] or ''}
end
return found
"""
"""Return the versions of records, 0 for one that is not known, and who wrote them."""
