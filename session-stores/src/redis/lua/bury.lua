-- KEYS: record. ARGV: tombstone, now, expected version or nothing.
local stored, tombstone, now = head(KEYS[1]), ARGV[1], number(ARGV[2], 1)
local ends = number(tombstone, 2)
if ARGV[3] ~= '' and is_live(stored, now) and stored:sub(2, 9) ~= ARGV[3] then return 'conflict' end
if stored:sub(1, 1) == 'T' and number(stored, 2) >= ends then return 'done' end
if ends > now then
  write(KEYS[1], tombstone, ends - now)
else
  redis.call('DEL', KEYS[1])
end
return 'done'
