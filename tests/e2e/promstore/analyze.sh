# analyze: numbers that can be counted by hand, and those of promtool on the same data.
. "$E2E/lib.sh"
# 3 metrics; http has 2 x 3 series, which all go after an hour but one; up 1; late comes after two hours.
awk 'BEGIN {
  for (i = 0; i < 180; i++) { t = 1700000000000 + i * 60000
    for (c = 1; c <= 2; c++) for (p = 1; p <= 3; p++) if (i < 60 || (c == 1 && p == 1)) printf "http{code=\"%d\",path=\"/%d\"} %d %.0f\n", c, p, i * c * p + (i * i) % 7, t
    printf "up 1 %.0f\n", t
    if (i >= 120) printf "late %d %.0f\n", i, t } }' | promstore import - -d D 2>/dev/null
promstore analyze -d D >all.tsv
expect_eq "total" "$(grep '^total' all.tsv | cut -f2,3)" "8	720"
expect_eq "metrics" "$(grep '^metric	' all.tsv | cut -f2,3,5)" "6	480	http
1	60	late
1	180	up"
expect_eq "labels" "$(grep '^label' all.tsv | cut -f2,3,5)" "3	8	__name__
3	6	path
2	6	code"
expect_eq "pairs" "$(grep '^pair' all.tsv | head -3 | cut -f2,5)" "6	__name__=http
3	code=1
3	code=2"
expect_eq "churn" "$(grep '^churn' all.tsv | awk '{a += $3; d += $4} END {print NR, a, d}')" "13 8 -5"
[ "$(grep '^series' all.tsv | head -1 | cut -f5 | cut -c1-4)" = http ] || fail "up, which never changes, is not the most expensive series"
expect_eq "top" "$(promstore analyze -d D -n 1 | grep -c '^pair')" 1
expect_eq "matcher and range" "$(promstore analyze -d D 'http{code="2"}' --end 1700000030 --json | python3 -c 'import json,sys; j=json.load(sys.stdin); print(j["series"], j["samples"], j["metrics_by_series"][0]["metric"], j["churn"][0]["active"])')" "3 3 http 3"
expect_eq "bytes add up" "$(promstore analyze -d D --json | python3 -c 'import json,sys; j=json.load(sys.stdin); s=sum(m["bytes"] for m in j["metrics_by_bytes"]); print(abs(s - j["bytes"]) <= 8)')" "True"
promstore delete -d D http >/dev/null
expect_eq "deleted ones do not count" "$(promstore analyze -d D | grep '^total' | cut -f2,3)" "2	240"
promstore undelete -d D "$(promstore undelete -d D | tail -1 | cut -f1)"
expect_code "no directory" 1 promstore analyze -d none
expect_code "bad top" 2 promstore analyze -d D -n x
command -v promtool >/dev/null || { echo "skipped: promtool is not installed"; exit 0; }
promstore export -d D --format tsdb -o T 2>/dev/null
mkdir T/wal
for block in $(ls T | grep -v wal); do promtool tsdb analyze T "$block" >"$block.txt"; done
block=$(ls T | grep -v wal | head -1)
expect_eq "promtool's series of the first block" "$(grep -E '^(Total )?Series: ' "$block.txt" | head -1 | grep -o '[0-9]*')" \
  "$(promstore analyze -d D --end "$(python3 -c "import json; print(json.load(open('T/$block/meta.json'))['maxTime'] / 1000 - 0.001)")" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["series"])')"
