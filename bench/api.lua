-- For wrk: the token goes along, and the figures come out as one line of JSON.
function init(args)
	wrk.headers["Authorization"] = "Bearer " .. os.getenv("HF_BENCH_TOKEN")
end

function done(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format(
		'\nRESULT {"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,"failed":%d}\n',
		summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
