-- KEYS: new record. ARGV: the beginning of the pending value, and its version.
-- For a minute the key stays taken: an entry of the index that has no record may be deleted, and
-- the same key may be staged again at once.
if beginning(KEYS[1], LINK + 9) ~= ARGV[1] then return 'missing' end
redis.call('PEXPIRE', KEYS[1], MINUTE)
return 'done'
