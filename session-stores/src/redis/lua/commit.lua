-- KEYS: old record. ARGV: expected version, moved value, now, time the marker is kept.
-- Returns the outcome, and the principal of the old record.
local stored = head(KEYS[1])
if stored == ARGV[2] then return { 'done', '' } end
if not is_live(stored, number(ARGV[3], 1)) then return { 'missing', '' } end
if stored:sub(2, 9) ~= ARGV[1] then return { 'conflict', '' } end
write(KEYS[1], ARGV[2], tonumber(ARGV[4]))
return { 'done', principal(stored, 0) }
