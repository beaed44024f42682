-- KEYS: index. ARGV: hash of the principal, record prefix, now, key to spare or nothing, largest
-- number of notes to follow and of records to delete.
-- Deletes the records that the index names, but for the session that is, or was, under the spared
-- key. Returns how many of them were live, whether there is more to do, and the key that the spared
-- session has by now.
local hash, prefix, now, spared = ARGV[1], ARGV[2], number(ARGV[3], 1), ARGV[4]
local most = tonumber(ARGV[5])
local notes = most
while spared ~= '' do
  local stored = head(name(prefix, spared))
  if stored:sub(1, 1) ~= 'M' or note_left(stored, now) <= 0 then break end
  if notes == 0 then return { 0, 1, spared } end
  notes = notes - 1
  spared = stored:sub(2, 33)
end

local ended = 0
local members = redis.call('ZRANGE', KEYS[1], 0, most)
for _, member in ipairs(members) do
  if member ~= spared then
    local record = name(prefix, member)
    local stored = head(record)
    if stored:sub(1, 1) == 'S' and principal(stored, 0) == hash then
      redis.call('DEL', record)
      if is_live(stored, now) then ended = ended + 1 end
    end
    redis.call('ZREM', KEYS[1], member)
  end
end
return { ended, #members > most and 1 or 0, spared }
