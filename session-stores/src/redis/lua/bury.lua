-- KEYS: record. ARGV: tombstone, now.
local stored, tombstone = redis.call('GETRANGE', KEYS[1], 0, 8), ARGV[1]
local ends = number(tombstone, 2)
if stored:sub(1, 1) == 'T' and number(stored, 2) >= ends then return 'done' end
if ends > number(ARGV[2], 1) then
  write(KEYS[1], tombstone, ends - number(ARGV[2], 1))
else
  redis.call('DEL', KEYS[1])
end
return 'done'
