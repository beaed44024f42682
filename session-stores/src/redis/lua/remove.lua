-- KEYS: record. ARGV: member, index prefix or nothing, now or nothing.
-- With a time, only what has expired by then. Returns the outcome, with the principal of what was
-- deleted, the key to which it has moved, or the beginning of what is pending.
local stored = head(KEYS[1])
local kind = stored:sub(1, 1)
if ARGV[3] ~= '' then
  local whole = kind == 'S' and #stored == HEAD
  if not whole or is_live(stored, number(ARGV[3], 1)) then return { 'missing', '' } end
end
if kind == '' or kind == 'T' or stored == FOREIGN then return { 'missing', '' } end
if kind == 'M' then
  if not may_be_told(stored) then return { 'missing', '' } end
  return { 'moved', stored:sub(2, 33) }
end
if kind == 'P' then return { 'pending', stored:sub(1, LINK) } end
redis.call('DEL', KEYS[1])
local hash = principal(stored, 0)
index_remove(ARGV[2], hash, ARGV[1])
return { 'done', hash }
