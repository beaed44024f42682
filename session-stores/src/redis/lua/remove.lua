-- KEYS: record. ARGV: member, index prefix or nothing, now or nothing.
-- With a time, only what has expired by then. Returns how many, and the principal of it.
local stored = redis.call('GETRANGE', KEYS[1], 0, NAMES_OLD + HEAD - 1)
local kind = stored:sub(1, 1)
if kind == '' or kind == 'M' or kind == 'T' then return { 0, '' } end
if ARGV[3] ~= '' then
  local whole = kind == 'S' and #stored >= HEAD
  if not whole or is_live(stored:sub(1, HEAD), number(ARGV[3], 1)) then return { 0, '' } end
end
redis.call('DEL', KEYS[1])
local hash = principal(stored, kind == 'P' and NAMES_OLD or 0)
index_remove(ARGV[2], hash, ARGV[1])
return { 1, hash }
