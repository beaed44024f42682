-- KEYS: new record. ARGV: the beginning of the pending value.
if redis.call('GETRANGE', KEYS[1], 0, NAMES_OLD - 1) ~= ARGV[1] then return 'missing' end
redis.call('DEL', KEYS[1])
return 'done'
