-- One request after the other from a file of pre-signed targets. Everything that can be made before the clock
-- starts is made in init(), so that the generator costs each server the same few microseconds.
-- Arguments: method, host, file of targets (one a line, its header fields behind it after tabs), threads,
-- [file with the tail of every body, salt].

local started = 0

function setup(thread)
   thread:set("index", started)
   started = started + 1
end

local requests, position, count = {}, 0, 0
local tail, head, serial

function init(args)
   local method, host = args[1], args[2]
   local body = ""
   if args[5] then
      local file = io.open(args[5], "rb")
      tail = file:read("*a")
      file:close()
      serial = 0
      head = args[6] .. string.char(65 + index)
      body = "Content-Length: " .. (#tail + #head + 9) .. "\r\n"
   end
   for line in io.lines(args[3]) do
      count = count + 1
      local target, fields = line:match("^([^\t]*)(.*)$")
      fields = fields:gsub("\t([^\t]*)", "%1\r\n")
      requests[count] = method .. " " .. target .. " HTTP/1.1\r\nHost: " .. host .. "\r\n" .. fields .. body .. "\r\n"
   end
   -- Each thread walks the whole file from a place of its own.
   position = math.floor(count * index / tonumber(args[4]))
   if tail then
      request = put
   else
      request = get
   end
end

function get()
   position = position % count + 1
   return requests[position]
end

-- No two bodies of a run are equal: a server that keeps equal bytes once must gain nothing.
function put()
   position = position % count + 1
   serial = serial + 1
   return requests[position] .. head .. string.format("%09d", serial) .. tail
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format("RESULT requests=%d microseconds=%d bytes=%d p50=%d p99=%d status=%d lost=%d\n",
      summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
