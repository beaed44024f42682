-- KEYS: new record. ARGV: the beginning of the pending value.
local value = redis.call('GET', KEYS[1])
if not value or value:sub(1, LINK) ~= ARGV[1] then return 'missing' end
redis.call('SET', KEYS[1], value:sub(LINK + 1), 'KEEPTTL')
return 'done'
