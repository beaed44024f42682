-- Sends the cookies of a file in turn, one visitor each, and prints what was measured.

local requests, sent = {}, 0

function init(arguments)
  for cookie in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Cookie"] = cookie })
  end
end

function request()
  sent = sent % #requests + 1
  return requests[sent]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local per_second = summary.requests / (summary.duration / 1e6)
  print(("measured %d %d %.1f %.0f %.0f"):format(
    summary.requests, failed, per_second, latency:percentile(50), latency:percentile(99)))
end
