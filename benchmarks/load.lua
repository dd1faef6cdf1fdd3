-- What wrk sends: events of calls, in a closed loop or paced. Its arguments, in order:
--   authorization  the value of the header
--   tag            what the ids of this round's calls begin with
--   event          answer, incomingcall or dtmf
--   known          0: each event is of a new call; else they go over so many calls, again and again
--   seconds        how long calls are sent; it ends when all are answered, or as wrk's -d says
--   connections    as wrk's -c
--   cycle, think   0 for a closed loop; else milliseconds from call to call of one connection, and
--                  the mean of those between an answer and the next call
--   seed           of the pauses
-- wrk runs it with one thread. It prints one JSON object.

local ffi = require("ffi")
ffi.cdef([[
  typedef struct { long seconds, nanoseconds; } moment;
  int clock_gettime(int clock, moment *at);
  int getpid(void);
  int kill(int process, int signal);
]])
local moment = ffi.new("moment")
local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.seconds) + tonumber(moment.nanoseconds) / 1e9
end

local BODY = '{"eventType": "%s", "callId": "%s%d", "callUri": '
  .. '"https://api.catapult.inetwork.com/v1/users/u-bench/calls/%s%d", "from": "+13055550142", '
  .. '"to": "+19195551000", "callState": "active", "applicationId": "a-bench", "time": "%s"%s}'
local HEAD = "POST /callbacks/catapult HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n"
  .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
local FOREVER, INTERRUPT = 1e9, 2

-- wrk asks for one request before it begins, and does not send it.
sent, asked, in_time, idle, began = -1, 0, 0, 0, nil
local thread_of_wrk
local host, authorization, tag, event, known, seconds, connections, cycle, think

function setup(thread)
  thread_of_wrk = thread
end

function init(arguments)
  authorization, tag, event = arguments[1], arguments[2], arguments[3]
  local numbers = {}
  for place = 4, 9 do
    numbers[place - 3] = tonumber(arguments[place])
  end
  known, seconds, connections, cycle, think = unpack(numbers)
  math.randomseed(numbers[6])
  host = wrk.host .. ":" .. wrk.port
end

-- Asked before every request, so also after every answer: milliseconds to wait.
function delay()
  local at = now()
  began = began or at
  asked = asked + 1
  if at - began >= seconds then
    idle = idle + 1
    if idle == connections then
      ffi.C.kill(ffi.C.getpid(), INTERRUPT)
    end
    return FOREVER
  end
  if asked <= connections then
    return math.random() * cycle
  end
  in_time = in_time + 1
  return math.random() * 2 * think
end

function request()
  sent = sent + 1
  local number = known > 0 and (sent - 1) % known + 1 or sent
  local more = event == "dtmf" and ', "dtmfDigit": "5"' or ""
  local time = os.date("!%Y-%m-%dT%H:%M:%SZ")
  local body = BODY:format(event, tag, number, tag, number, time, more)
  return HEAD:format(host, authorization, #body, body)
end

function done(summary, latency, _)
  local errors = summary.errors
  local function ms(percentile)
    return latency:percentile(percentile) / 1000
  end
  io.write(
    ('{"sent": %d, "answered": %d, "in_time": %d, "refused": %d, "failed": %d, '
      .. '"p50": %.3f, "p90": %.3f, "p99": %.3f, "p999": %.3f, "longest": %.3f}\n'):format(
      thread_of_wrk:get("sent"), summary.requests, thread_of_wrk:get("in_time"), errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      ms(50), ms(90), ms(99), ms(99.9), latency.max / 1000
    )
  )
end
