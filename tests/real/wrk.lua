-- wrk ... -s wrk.lua URL -- DEPTH: sends DEPTH requests in one write, and says at the end what went wrong.

local together

function init(args)
   local one = wrk.format()
   together = one:rep(tonumber(args[1]) or 1)
end

function request()
   return together
end

function done(summary)
   local e = summary.errors
   print(string.format("%d answers, %d errors, %d of another status",
      summary.requests, e.connect + e.read + e.write + e.timeout, e.status))
end
