-- KEYS: old record. ARGV: expected version, moved value, now, time the marker is kept.
-- Returns the outcome, and the principal of the old record.
local stored, moved, left = head(KEYS[1]), ARGV[2], tonumber(ARGV[4])
if stored:sub(1, LINK) == moved:sub(1, LINK) then
  -- An earlier try, and what is pending may have been written again since.
  put(KEYS[1], stored, left)
  return { 'done', '' }
end
if not is_live(stored, number(ARGV[3], 1)) then return { 'missing', '' } end
if stored:sub(2, 9) ~= ARGV[1] then return { 'conflict', '' } end
put(KEYS[1], moved, left)
return { 'done', principal(stored, 0) }
