# What is appended is dumped again to the byte: floats, stale markers, odd NaN, native histograms,
# exemplars, start timestamps, metadata; as text and as binary.
. "$E2E/lib.sh"
cat >in.txt <<'TXT'
#@value odd 0x7ff8000000000abc 1700000000000
# HELP http_requests_total Requests, "quoted" and \\ escaped.
# TYPE http_requests_total counter
#@start http_requests_total{code="200"} 1700000000000 1690000000000
http_requests_total{code="200"} 1 1700000000000
#@start http_requests_total{code="200"} 1700000015000 1690000000000
http_requests_total{code="200"} 2.5 1700000015000
#@exemplar http_requests_total{code="200"} {trace_id="abc"} 0.5 1700000015000
http_requests_total{code="500"} -0 1700000000000
#@stale http_requests_total{code="500"} 1700000015000
#@histogram latency 1700000000000 int schema:3 zero_threshold:0.001 zero_count:1 count:6 sum:12.5 spans:0*2,3*1 buckets:2,2,1
limits NaN 1700000000000
limits +Inf 1700000000001
limits -Inf 1700000000002
limits 5e-324 1700000000003
TXT
# Sorted by series: http..., latency, limits, odd.
{ sed -n '2,$p' in.txt; sed -n 1p in.txt; } >want.txt
expect_code append 0 promstore append -d D <in.txt
expect_eq "standard error" "$err" ""
promstore dump -d D >got.txt
expect_eq "dump" "$(cat got.txt)" "$(cat want.txt)"

promstore dump -b -d D | promstore append -d E
promstore dump -d E >again.txt
expect_eq "dump of a binary copy" "$(cat again.txt)" "$(cat want.txt)"

expect_eq "matcher and time range" "$(promstore dump -d D 'limits' --start 1700000000.001 --end 1700000000.002)" "limits +Inf 1700000000001
limits -Inf 1700000000002"
expect_eq "nothing matches" "$(promstore dump -d D '{a="b"}')" ""
