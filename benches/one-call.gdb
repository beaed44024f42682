# Prints the instructions of the next call of the function at $at: the program is where Linux puts it
# if addresses are not random.
starti
break *(0x555555554000 + $at)
continue
set $steps = 0
set $called = $sp
while $sp <= $called
  stepi
  set $steps = $steps + 1
end
printf "steps: %d\n", $steps
kill
