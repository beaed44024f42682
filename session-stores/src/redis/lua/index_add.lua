-- KEYS: index. ARGV: member, time left.
index_add(KEYS[1], ARGV[1], ARGV[2])
return 'done'
