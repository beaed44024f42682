-- What lies under a session's key is laid out in `value.rs`. These scripts read its fixed part:
-- kind 1, version 2-9, accessed 10-17, idle timeout 18-25, deadline 26-33, until 34-41,
-- principal 51-82, each number big endian. A pending value has a link before that, and a moved one
-- begins with a link: kind 1, the other key 2-33, attempt 34-41. Until when the moved one may be told
-- is 42-49.
local HEAD, LINK, MINUTE = 82, 41, 60000

local function number(bytes, at)
  return (struct.unpack('>i8', bytes, at))
end

-- What is no string was put there by somebody else. It is no kind of value, and is left alone.
local FOREIGN = '?'

local function beginning(key, length)
  local stored = redis.pcall('GETRANGE', key, 0, length - 1)
  if type(stored) == 'string' then return stored end
  if stored.err:find('WRONGTYPE', 1, true) then return FOREIGN end
  -- Fails as it would have failed.
  return redis.call('GETRANGE', key, 0, length - 1)
end

local function head(key)
  return beginning(key, HEAD)
end

local function ends_at(value, skip)
  local idle = number(value, skip + 10) + number(value, skip + 18)
  return math.min(idle, number(value, skip + 26), number(value, skip + 34))
end

local function is_live(stored, now)
  return #stored == HEAD and stored:sub(1, 1) == 'S' and ends_at(stored, 0) > now
end

-- Counted from now, not by the deadline itself, so that a server whose clock is ahead ends
-- nothing early. Beyond 30,000 years a key needs no expiry, and Redis takes none.
local function expiry(left)
  return left < 1e15 and string.format('%.0f', math.max(left, 1)) or nil
end

-- A change makes the server forget who has read a key and wants to know of its changes. Whoever
-- makes it knows the new value, and is to hear of the next change too.
local function read_again(key)
  redis.call('GETRANGE', key, 0, 0)
end

local function put(key, value, left)
  local millis = expiry(left)
  if millis then
    redis.call('SET', key, value, 'PX', millis)
  else
    redis.call('SET', key, value)
  end
end

local function write(key, value, left)
  put(key, value, left)
  read_again(key)
end

local function keep(key, left)
  local millis = expiry(left)
  if millis then
    redis.call('PEXPIRE', key, millis)
  else
    redis.call('PERSIST', key)
  end
end

local function with_field(value, at, field)
  if value:sub(at, at + 7) == field then return value end
  return value:sub(1, at - 1) .. field .. value:sub(at + 8)
end

-- The stored time of use stays where it is the later one.
local function with_later_use(value, stored)
  if number(stored, 10) > number(value, 10) then
    return with_field(value, 10, stored:sub(10, 17))
  end
  return value
end

local function principal(stored, skip)
  local hash = stored:sub(skip + 51, skip + 82)
  return hash:find('[^%z]') and hash or ''
end

-- Whether a moved value is a note. Otherwise it only says what became of a pending record.
local function may_be_told(moved)
  return #moved >= LINK + 8 and number(moved, LINK + 1) ~= 0
end

-- How long a moved value may still be told.
local function note_left(moved, now)
  return may_be_told(moved) and number(moved, LINK + 1) - now or 0
end

-- The index by principal: members scored with the end of their lives by this server's clock, a
-- minute late, so that no live one is dropped. `left` is empty for a session without an
-- absolute deadline.
local function index_add(index, member, left)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local millis = left ~= '' and expiry(tonumber(left) + MINUTE)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. string.format('%.0f', now))
  local known = redis.call('EXISTS', index) == 1
  redis.call('ZADD', index, millis and string.format('%.0f', now + millis) or '+inf', member)
  local kept = redis.call('PTTL', index)
  if not millis then
    redis.call('PERSIST', index)
  elseif not known or (kept >= 0 and kept < tonumber(millis)) then
    redis.call('PEXPIRE', index, millis)
  end
end

local function index_remove(prefix, hash, member)
  if prefix == '' or hash == '' then return end
  local name = hash:gsub('.', function(byte) return string.format('%02x', byte:byte()) end)
  redis.call('ZREM', prefix .. name, member)
end

local LETTERS = {}
for letter in ('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'):gmatch('.') do
  LETTERS[#LETTERS + 1] = letter
end

-- The name of a record: the prefix, and its key in base64url.
local function name(prefix, key)
  local text = {}
  for at = 1, #key, 3 do
    local first, second, third = key:byte(at, at + 2)
    local bits = first * 65536 + (second or 0) * 256 + (third or 0)
    for letter = #text + 4, #text + 1, -1 do
      text[letter] = LETTERS[bits % 64 + 1]
      bits = math.floor(bits / 64)
    end
  end
  return prefix .. table.concat(text, '', 1, 43)
end
