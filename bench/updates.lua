-- Posts updates as Telegram does, each with a number of its own from args[1] on, over 200 chats.
local number = 0
local head = '{"update_id":%d,"message":{"message_id":%d,"date":1764000000,'
local person = '"id":%d,"first_name":"Ani","last_name":"Wijaya","username":"ani%d"'
local update = head .. '"from":{"is_bot":false,' .. person .. '},"chat":{"type":"private",' .. person
   .. '},"text":"Dua kopi susu dan satu roti bakar, diantar ke meja lima ya"}}'

function init(args)
   number = tonumber(args[1])
end

function request()
   number = number + 1
   local chat = 523067421 + number % 200
   local body = string.format(update, number, number, chat, chat, chat, chat)
   return wrk.format("POST", nil, nil, body)
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"calls":%d,"microseconds":%d,"p50":%.1f,"p99":%.1f,"status":%d,"connect":%d,'
         .. '"read":%d,"write":%d,"timeout":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
