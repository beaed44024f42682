-- KEYS: record. ARGV: value, now.
local stored, value, now = head(KEYS[1]), ARGV[1], number(ARGV[2], 1)
local kind = stored:sub(1, 1)
if kind == 'T' then
  if number(stored, 2) > now then return 'exists' end
elseif kind == 'S' and #stored == HEAD then
  local high, low = struct.unpack('>I4I4', stored, 2)
  local new_high, new_low = struct.unpack('>I4I4', value, 2)
  if high > new_high or (high == new_high and low > new_low) then return 'exists' end
  if high == new_high and low == new_low and is_live(stored, now) then return 'exists' end
  value = with_later_use(value, stored)
elseif kind ~= '' then
  return 'exists'
end
if ends_at(value, 0) > now then write(KEYS[1], value, ends_at(value, 0) - now) end
return 'done'
