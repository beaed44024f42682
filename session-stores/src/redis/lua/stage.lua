-- KEYS: new record. ARGV: pending value. Returns the outcome, with the attempt if it is done.
-- What an earlier attempt of the same write has left here is replaced, and keeps its number, because
-- its writer may have gone on, and still commit.
local stored, value = beginning(KEYS[1], LINK), ARGV[1]
if stored ~= '' then
  if #stored < LINK or stored:sub(1, 33) ~= value:sub(1, 33) then return { 'exists', '' } end
  value = stored .. value:sub(LINK + 1)
end
put(KEYS[1], value, ends_at(value, LINK) - number(value, LINK + 10))
return { 'done', value:sub(34, LINK) }
