-- KEYS: index. ARGV: hash of the principal, record prefix, now, largest number of records, largest
-- number of notes, key to spare or nothing.
-- Deletes the records that the index names, but for the session that is, or was, under the spared
-- key. Returns how many of them were live, and whether the index names more. Nothing if that session
-- has more notes.
local hash, prefix, now = ARGV[1], ARGV[2], number(ARGV[3], 1)
local most, notes = tonumber(ARGV[4]), tonumber(ARGV[5])

local spared, key = {}, ARGV[6]
while key ~= '' do
  if notes == 0 then return false end
  notes, spared[key] = notes - 1, true
  local stored = head(name(prefix, key))
  key = stored:sub(1, 1) == 'M' and note_left(stored, now) > 0 and stored:sub(2, 33) or ''
end

local ended = 0
local members = redis.call('ZRANGE', KEYS[1], 0, most)
for _, member in ipairs(members) do
  if not spared[member] then
    local record = name(prefix, member)
    local stored = head(record)
    if stored:sub(1, 1) == 'S' and principal(stored, 0) == hash then
      redis.call('DEL', record)
      if is_live(stored, now) then ended = ended + 1 end
    end
    redis.call('ZREM', KEYS[1], member)
  end
end
return { ended, #members > most and 1 or 0 }
