# Lines that cannot be read are named with number and reason, at most ten of them; samples that do not
# fit are counted in one line. The others are stored. Exit code 1.
. "$E2E/lib.sh"
printf 'a 1 1000\nb{ 2 1000\nc 3 1000\nd x 1000\n' >in.txt
expect_code "malformed lines" 1 promstore append -d D <in.txt
expect_has "line 2" "$err" '^promstore: line 2: '
expect_has "line 4" "$err" '^promstore: line 4: '
expect_eq "stored" "$(promstore dump -d D)" "a 1 1000
c 3 1000"

for i in $(seq 25); do echo "bad line $i x"; done >many.txt
expect_code "many malformed lines" 1 promstore append -d D <many.txt
expect_eq "lines of standard error" "$(wc -l <<<"$err")" 11
expect_has "the rest" "$err" '^promstore: 15 further lines refused$'

printf 'a 1 2000\na 1 1500\na 2 2000\na 1 2000\n' >order.txt
expect_code "out of order" 1 promstore append -d D <order.txt
expect_eq "summary" "$err" "promstore: 2 of 4 samples refused: 1 out of order, 1 another value at a time that is taken"

start serve promstore serve -d D
wait_for "the store" 5 grep -q '"ready":true' D/run/promstore.json
expect_code "through the writer" 1 promstore append -d D <order.txt
expect_has "summary through the writer" "$err" '^promstore: 2 of 4 samples refused: '
expect_code "malformed lines through the writer" 1 promstore append -d D <in.txt
expect_has "line through the writer" "$err" '^promstore: line 2: '
