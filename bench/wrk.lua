-- A body makes it a POST. The result is one line of JSON, for bench/load.py.
function init(args)
   if args[1] then
      wrk.method = "POST"
      wrk.body = args[1]
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"calls":%d,"microseconds":%d,"p50":%.1f,"p99":%.1f,"status":%d,"connect":%d,'
         .. '"read":%d,"write":%d,"timeout":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
