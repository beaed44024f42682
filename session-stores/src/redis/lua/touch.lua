-- KEYS: record. ARGV: accessed.
local stored, accessed = head(KEYS[1]), number(ARGV[1], 1)
if not is_live(stored, accessed) or number(stored, 10) >= accessed then return 'missing' end
redis.call('SETRANGE', KEYS[1], 9, ARGV[1])
keep(KEYS[1], ends_at(with_field(stored, 10, ARGV[1]), 0) - accessed)
read_again(KEYS[1])
return 'done'
