-- KEYS: old record, new record, new index if there is a principal.
-- ARGV: expected version, value, member, time left for the index, old member, index prefix,
-- moved note or nothing. Returns the outcome; with the last use if it is done.
local stored, value = head(KEYS[1]), ARGV[2]
if not is_live(stored, number(value, 10)) then return 'missing' end
if stored:sub(2, 9) ~= ARGV[1] then return 'conflict' end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'exists' end
local left = ARGV[7] ~= '' and note_left(ARGV[7], number(value, 10)) or 0
value = with_later_use(value, stored)
if KEYS[3] then index_add(KEYS[3], ARGV[3], ARGV[4]) end
write(KEYS[2], value, ends_at(value, 0) - number(value, 10))
if left > 0 then
  put(KEYS[1], ARGV[7], left)
else
  redis.call('DEL', KEYS[1])
end
index_remove(ARGV[6], principal(stored, 0), ARGV[5])
return { 'done', value:sub(10, 17) }
