-- KEYS: old record, new record, new index if there is a principal.
-- ARGV: expected version, value, member, time left for the index, old member, index prefix.
-- Returns the outcome; with the last use if it is done.
local stored, value = head(KEYS[1]), ARGV[2]
if not is_live(stored, number(value, 10)) then return 'missing' end
if stored:sub(2, 9) ~= ARGV[1] then return 'conflict' end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'exists' end
value = with_later_use(value, stored)
if KEYS[3] then index_add(KEYS[3], ARGV[3], ARGV[4]) end
write(KEYS[2], value, ends_at(value, 0) - number(value, 10))
redis.call('DEL', KEYS[1])
index_remove(ARGV[6], principal(stored, 0), ARGV[5])
return { 'done', value:sub(10, 17) }
