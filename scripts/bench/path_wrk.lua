-- Posts the bodies of a file, one a line, in turn; prints what came of it as the last line, in JSON.
local requests, at = {}, 0

function init(arguments)
  local path, file = arguments[1], arguments[2]
  for body in io.lines(file) do
    requests[#requests + 1] = wrk.format("POST", path, {["content-type"] = "application/json"}, body)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
