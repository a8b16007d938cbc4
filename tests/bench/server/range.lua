-- A range of 4 KiB of a blob, another one each time: `wrk -s range.lua URL -- BYTES`.
local bytes = 0
local threads = {}

function setup(thread) table.insert(threads, thread) end

function init(args)
    bytes = tonumber(args[1])
    answered, partial = 0, 0
end

function request()
    local from = math.random(0, bytes - 4096)
    return wrk.format("GET", nil, { Range = string.format("bytes=%d-%d", from, from + 4095) })
end

function response(status, _, body)
    answered = answered + 1
    if status == 206 and #body == 4096 then partial = partial + 1 end
end

function done(summary, latency, _)
    local all, right = 0, 0
    for _, thread in ipairs(threads) do
        all = all + thread:get("answered")
        right = right + thread:get("partial")
    end
    io.write(string.format("answered %d\npartial %d\nseconds %.6f\np50_us %d\np99_us %d\nerrors %d\n", all, right,
        summary.duration / 1e6, latency:percentile(50), latency:percentile(99), summary.errors.connect +
        summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.status))
end
