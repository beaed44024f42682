-- KEYS: record, index if there is a principal. ARGV: value, member, time left for the index.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'exists' end
if KEYS[2] then index_add(KEYS[2], ARGV[2], ARGV[3]) end
write(KEYS[1], ARGV[1], ends_at(ARGV[1], 0) - number(ARGV[1], 10))
return 'done'
