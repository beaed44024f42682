-- KEYS: new record. ARGV: the beginning of the pending value.
if beginning(KEYS[1], LINK) ~= ARGV[1] then return 'missing' end
local value = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], value:sub(LINK + 1), 'KEEPTTL')
return 'done'
