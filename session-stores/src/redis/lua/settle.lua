-- KEYS: old record. ARGV: moved value, now.
-- Nothing is pending any more. What has moved is from now on only told.
if beginning(KEYS[1], LINK) ~= ARGV[1]:sub(1, LINK) then return 'missing' end
local left = note_left(ARGV[1], number(ARGV[2], 1))
if left > 0 then
  keep(KEYS[1], left)
else
  redis.call('DEL', KEYS[1])
end
return 'done'
