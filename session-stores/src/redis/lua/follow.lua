-- KEYS: record. ARGV: its key, record prefix, now, largest number of notes to follow.
-- Returns the last key to which notes lead, and what is there: another note, if there are more.
local key, prefix, now = ARGV[1], ARGV[2], number(ARGV[3], 1)
local record = KEYS[1]
for _ = 1, tonumber(ARGV[4]) do
  local stored = head(record)
  if stored:sub(1, 1) ~= 'M' or note_left(stored, now) <= 0 then break end
  key = stored:sub(2, 33)
  record = name(prefix, key)
end
if head(record) == FOREIGN then return { key, '' } end
return { key, redis.call('GET', record) or '' }
