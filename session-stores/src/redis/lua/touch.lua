-- KEYS: record. ARGV: accessed.
local stored, accessed = head(KEYS[1]), number(ARGV[1], 1)
if not is_live(stored, accessed) or number(stored, 10) >= accessed then return 'missing' end
redis.call('SETRANGE', KEYS[1], 9, ARGV[1])
local millis = expiry(ends_at(with_field(stored, 10, ARGV[1]), 0) - accessed)
if millis then
  redis.call('PEXPIRE', KEYS[1], millis)
else
  redis.call('PERSIST', KEYS[1])
end
read_again(KEYS[1])
return 'done'
