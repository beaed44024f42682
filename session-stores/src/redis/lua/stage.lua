-- KEYS: new record. ARGV: pending value.
-- What an earlier attempt of the same renewal left here is as good as what this one would write.
local stored, value = redis.call('GETRANGE', KEYS[1], 0, NAMES_OLD + 8), ARGV[1]
if stored == '' then
  write(KEYS[1], value, ends_at(value, NAMES_OLD) - number(value, NAMES_OLD + 10))
elseif stored ~= value:sub(1, NAMES_OLD + 9) then
  return 'exists'
end
return 'done'
