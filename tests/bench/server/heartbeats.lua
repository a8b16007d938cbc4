-- Heartbeats of many devices by wrk: `wrk -s heartbeats.lua URL -- DEVICES [PREFIX]`. What each says is
-- what an agent says when nothing has changed. Requests are made before the clock runs.
local requests, at = {}, 0

function init(args)
    local devices = tonumber(args[1])
    local prefix = args[2] or "hb-"
    wrk.headers["Content-Type"] = "application/json"
    for i = 0, devices - 1 do
        local body = string.format('{"protocol":1,"instance":"%032x","start":"%016x",' ..
            '"poll_interval_s":60,"metrics":{"uptime_secs":%d,"free_memory_bytes":123456789}}',
            i + 1, i + 1, 1000 + i)
        requests[i] = wrk.format("POST", "/api/v1/devices/" .. prefix ..
            string.format("%06d", i) .. "/heartbeat", nil, body)
    end
    at = math.floor(devices * math.random())
end

function request()
    at = (at + 1) % (#requests + 1)
    return requests[at]
end

function done(summary, latency, _)
    io.write(string.format("requests %d\nseconds %.6f\nerrors %d\nstatuses %d\np50_us %d\np99_us %d\nmax_us %d\n",
        summary.requests, summary.duration / 1e6, summary.errors.connect + summary.errors.read +
        summary.errors.write + summary.errors.timeout, summary.errors.status,
        latency:percentile(50), latency:percentile(99), latency.max))
end
