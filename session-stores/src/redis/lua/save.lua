-- KEYS: record. ARGV: expected version, value. Returns the outcome; with the last use if it is done.
local stored, value = head(KEYS[1]), ARGV[2]
if not is_live(stored, number(value, 10)) then return 'missing' end
if stored:sub(2, 9) ~= ARGV[1] then return 'conflict' end
-- A copy that is trusted until then does not become one that is trusted for longer.
value = with_field(with_later_use(value, stored), 34, stored:sub(34, 41))
write(KEYS[1], value, ends_at(value, 0) - number(value, 10))
return { 'done', value:sub(10, 17) }
