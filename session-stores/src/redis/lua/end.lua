-- KEYS: record. ARGV: its key, record prefix, index prefix, largest number of notes to follow.
-- Deletes the record that is, or was, under this key. Returns 'done' and its key, or 'missing'; or
-- 'moved' and the key to go on with, if there are more notes.
local key, prefix = ARGV[1], ARGV[2]
for _ = 1, tonumber(ARGV[4]) do
  local record = name(prefix, key)
  local stored = head(record)
  local kind = stored:sub(1, 1)
  if kind == 'M' and may_be_told(stored) then
    key = stored:sub(2, 33)
  elseif kind == '' or kind == 'M' or kind == 'P' or kind == 'T' or stored == FOREIGN then
    return { 'missing', '' }
  else
    redis.call('DEL', record)
    index_remove(ARGV[3], principal(stored, 0), key)
    return { 'done', key }
  end
end
return { 'moved', key }
