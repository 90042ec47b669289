"""Samples and expressions both are asked about, and why an answer of 2.42 may differ."""
import math

BASE = 1700000400  # a multiple of 7200 s is not needed: promtool cuts blocks itself; of 60 s it is


def query_samples():
    """[(name, labels, [(seconds, value)])]; times are multiples of 1/8 s, so that seconds as doubles are exact."""
    series = []
    state = [12345]

    def random():
        state[0] = (state[0] * 1103515245 + 12345) % 2**31
        return state[0] / 2**31

    def times(step, offset, n=240):
        return [BASE + offset + step * i for i in range(n)]

    modes = ["user", "system", "idle"]
    for h in range(3):
        for m, mode in enumerate(modes):
            v, out = 1000.0 * h, []
            for i, t in enumerate(times(15, 0.25 + 0.125 * m)):
                v += 1 + (i * (m + 2) + h) % 7 * 0.25
                if h == 1 and mode == "user" and i % 50 == 40:
                    v = 0.5  # counter reset
                if h == 2 and 60 <= i < 90:
                    continue  # gap of 7.5 minutes
                out.append((t, v))
            series.append(("cpu_total", {"host": "h%d" % h, "mode": mode}, out))
    for h in range(3):
        series.append(("info", {"host": "h%d" % h, "version": "1.%d" % (h // 2), "dc": "east" if h else "west"}, [(t, 1) for t in times(15, 0.375)]))
        series.append(("temp", {"host": "h%d" % h}, [(t, round(20 + 10 * math.sin(i / 9 + h), 3)) for i, t in enumerate(times(30, 0.25, 120))]))
        series.append(("noise", {"host": "h%d" % h}, [(t, random() - 0.5) for t in times(15, 0.125)]))
        series.append(("whole", {"host": "h%d" % h, "kind": "g"}, [(t, (i * (h + 3)) % 11) for i, t in enumerate(times(15, 0.25))]))
    bounds = ["0.1", "0.25", "0.5", "1.0", "2.5", "+Inf"]
    for h in range(2):
        counts = [0] * 6
        rows = {b: [] for b in bounds}
        total, sums = 0.0, []
        for i, t in enumerate(times(15, 0.5)):
            for j in range(6):
                counts[j] += (i * (j + 1) + h) % 4 + j  # grows faster upwards, as cumulative counts must
            for j, b in enumerate(bounds):
                rows[b].append((t, sum(counts[:j + 1])))
            total += 1.5 + h
            sums.append((t, total))
        for b in bounds:
            series.append(("lat_bucket", {"host": "h%d" % h, "le": b}, rows[b]))
        series.append(("lat_sum", {"host": "h%d" % h}, sums))
        series.append(("lat_count", {"host": "h%d" % h}, rows["+Inf"]))
    odd = [0, 1, float("nan"), 3, float("inf"), 5, float("-inf"), 1e300, -1e300, 4.9e-324, float("nan"), float("nan"), 2, 2, 0.1, 1e21, 1e-7]
    series.append(("odd", {"k": "cycle"}, [(t, odd[i % len(odd)]) for i, t in enumerate(times(15, 0.25))]))
    series.append(("odd", {"k": "nan"}, [(t, float("nan")) for t in times(15, 0.25)]))
    series.append(("odd", {"k": "inf"}, [(t, float("inf")) for t in times(15, 0.25)]))
    series.append(("odd", {"k": "const"}, [(t, 42) for t in times(15, 0.25)]))
    series.append(("sparse", {"n": "1"}, [(BASE + 600.25, 7), (BASE + 1200.25, 9)]))
    series.append(("ends", {"n": "1"}, [(t, 5) for t in times(15, 0.25, 100)]))
    series.append(("day", {"z": "žlutý"}, [(t, BASE + 86400 * 31 * i) for i, t in enumerate(times(15, 0.25))]))
    return series


KAHAN = "version 3 sums with compensation (and averages by sum), 2.42 adds one after the other: last digits only"
RENAMED = "holt_winters is called double_exponential_smoothing in version 3"
ZERO = "version 3 first limits the extrapolation to the window's edge and then to the zero point (upstream #13725), 2.42 the other way round"

# (expression, reason why last digits may differ or None)
QUERIES = [(q, None) for q in r'''
cpu_total
cpu_total{mode!="idle",host=~"h[01]"}
{__name__=~"cpu.*|temp",host="h1"}
rate(cpu_total[5m])
rate(cpu_total[47s])
increase(cpu_total[5m])
irate(cpu_total[2m])
idelta(temp[3m])
delta(temp[10m])
deriv(temp[10m])
predict_linear(temp[10m], 3600)
avg_over_time(noise[5m])
sum_over_time(noise[5m])
min_over_time(noise[5m])
max_over_time(noise[5m])
count_over_time(noise[5m])
last_over_time(noise[5m])
stddev_over_time(noise[5m])
stdvar_over_time(noise[5m])
quantile_over_time(0.9, noise[5m])
quantile_over_time(-1, noise[5m])
quantile_over_time(2, noise[5m])
present_over_time(ends[5m])
absent_over_time(ends{n="1"}[5m])
absent(ends{n="1"})
absent(nonexistent{a="b",c=~"d"})
resets(cpu_total[30m])
changes(cpu_total[30m])
changes(odd[20m])
changes(whole[20m])
resets(whole[20m])
histogram_quantile(0.9, rate(lat_bucket[5m]))
histogram_quantile(0.5, sum by (le) (rate(lat_bucket[5m])))
histogram_quantile(0, lat_bucket)
histogram_quantile(1, lat_bucket)
histogram_quantile(1.5, lat_bucket)
lat_sum / lat_count
rate(lat_sum[5m]) / rate(lat_count[5m])
sum by (mode) (rate(cpu_total[5m]))
sum without (mode) (whole)
sum(whole)
avg by (kind) (whole)
min by (host) (cpu_total)
max without (host) (cpu_total)
count(cpu_total) by (host)
group by (host) (cpu_total)
stddev by (mode) (cpu_total)
stdvar(temp)
quantile by (mode) (0.3, cpu_total)
quantile(0.5, temp)
topk(2, cpu_total)
bottomk(2, temp)
topk by (mode) (1, cpu_total)
topk(3, noise)
count_values("value", whole)
count_values by (host) ("v", odd)
cpu_total * on (host) group_left (version, dc) info
cpu_total / on (host) group_left () (temp > 15)
info * on (host) group_right () cpu_total
temp + on (host) noise
temp - ignoring (kind) whole
cpu_total and on (host) (temp > 20)
cpu_total unless on (host) temp
cpu_total unless on (host) (temp > 20)
temp or noise
temp or on (host) cpu_total
temp > 20
temp > bool 20
20 < temp
temp >= bool on (host) noise
temp == temp
odd == odd
odd != odd
1 > bool 2
temp % 7
-7 % temp
temp ^ 2
2 ^ 3 ^ 0.5
-temp
temp atan2 noise
odd * 2
odd / 0
odd % 3
avg_over_time(rate(cpu_total[1m])[10m:1m])
max_over_time(deriv(temp[2m])[10m:30s])
sum_over_time(whole[10m:])
rate(cpu_total[5m:10s])
min_over_time(sum by (mode) (rate(cpu_total[2m]))[20m:2m] offset 5m)
temp offset 10m
temp offset -5m
rate(cpu_total[5m] offset 7m)
temp @ 1700002000
rate(cpu_total[5m] @ 1700002003)
temp @ end()
temp @ start() - temp @ end()
sum_over_time(whole[5m] @ end() offset 1m)
label_replace(cpu_total, "short", "$1-${1}x", "host", "h(.)")
label_replace(cpu_total, "mode", "", "host", "h1")
label_join(cpu_total, "both", "/", "host", "mode", "none")
sort(temp)
sort_desc(temp)
sort(cpu_total)
abs(noise)
ceil(temp)
floor(temp)
round(temp)
round(temp, 0.25)
round(-noise, 0.1)
exp(noise)
ln(temp)
log2(temp)
log10(temp)
sqrt(temp)
sgn(noise)
clamp(temp, 18, 25)
clamp_min(temp, 20)
clamp_max(temp, 20)
clamp(temp, 25, 18)
sin(temp)
cos(temp)
tan(noise)
asin(noise)
acos(noise)
atan(noise)
sinh(noise)
cosh(noise)
tanh(noise)
asinh(noise)
acosh(temp)
atanh(noise)
deg(noise)
rad(temp)
pi()
time()
timestamp(temp)
timestamp(temp + 0)
vector(time())
scalar(temp)
scalar(temp{host="h0"})
minute(day)
hour(day)
day_of_week(day)
day_of_month(day)
day_of_year(day)
days_in_month(day)
month(day)
year(day)
hour()
month(vector(1e9))
odd
abs(odd)
sqrt(odd)
ln(odd)
exp(odd)
round(odd)
ceil(odd)
rate(odd[5m])
delta(odd[5m])
irate(odd[5m])
sum_over_time(odd[2m])
avg_over_time(odd[2m])
min_over_time(odd[2m])
max_over_time(odd[2m])
stddev_over_time(odd{k="const"}[2m])
quantile_over_time(0.5, odd[2m])
max(odd)
min(odd)
sum(odd)
avg(odd{k!="cycle"})
count(odd)
sparse
rate(sparse[20m])
increase(sparse[20m])
deriv(sparse[5m])
ends
"a string"
42
1e21
NaN
-Inf
{z="žlutý"}
cpu_total{host="h0"} > ignoring (mode) group_left temp{host="h0"}
sum(rate(cpu_total[5m])) by (host) / on (host) sum(temp) by (host) > 0.1
count(count by (mode) (cpu_total))
(temp > 20) * 2 or vector(0)
cpu_total[40s]
topk(scalar(count(temp)), cpu_total)
'''.strip().splitlines()]
COMPENSATED = [
    "sum by (host) (noise)", "sum(temp)", "avg by (mode) (cpu_total)", "avg(temp)", "avg(noise)", "sum(rate(cpu_total[7m]))",
    "avg(rate(cpu_total[5m]))", "stddev(noise)", "stdvar by (host) (cpu_total)",
]
QUERIES += [(q, KAHAN) for q in COMPENSATED]
# Reasons for single expressions whose last digits differ.
ULP_REASON = {"sum by (mode) (rate(cpu_total[5m]))": KAHAN, "sum(rate(cpu_total[5m])) by (host) / on (host) sum(temp) by (host) > 0.1": KAHAN,
              "histogram_quantile(0.5, sum by (le) (rate(lat_bucket[5m])))": KAHAN,
              "min_over_time(sum by (mode) (rate(cpu_total[2m]))[20m:2m] offset 5m)": KAHAN, "avg by (kind) (whole)": KAHAN}
# Expressions whose answer may differ in more than last digits.
# libm: the last digit of transcendental functions is that of the C library, not of Go's own (both are within 1 or 2 ulp of the true value).
for _q in ("exp(noise)|ln(temp)|log2(temp)|log10(temp)|sin(temp)|cos(temp)|tan(noise)|asin(noise)|acos(noise)|atan(noise)|sinh(noise)|cosh(noise)|tanh(noise)|"
           "asinh(noise)|acosh(temp)|atanh(noise)|exp(odd)|temp ^ 2|2 ^ 3 ^ 0.5").split("|"):
    ULP_REASON[_q] = "transcendental functions are those of the C library here and Go's own there; each is within 2 ulp of the true value"
for _q in ("avg_over_time(noise[5m])", "avg_over_time(rate(cpu_total[1m])[10m:1m])"):
    ULP_REASON[_q] = "version 3 divides a compensated sum by the count, 2.42 keeps a running mean"
OTHER_REASON = {q: ZERO for q in ("rate(cpu_total[5m])", "increase(cpu_total[5m])", "histogram_quantile(0.5, sum by (le) (rate(lat_bucket[5m])))",
                                  "rate(lat_sum[5m]) / rate(lat_count[5m])", "sum by (mode) (rate(cpu_total[5m]))", "rate(cpu_total[5m:10s])",
                                  "rate(cpu_total[5m] offset 7m)", "sum(rate(cpu_total[7m]))", "avg(rate(cpu_total[5m]))")}
OTHER_REASON["temp atan2 noise"] = "version 3 drops the metric name after atan2, as after the other arithmetic operators; 2.42 forgot to"
OTHER_REASON["ln(odd)"] = "the logarithm of the smallest number, 4.9e-324, is -744.44; Go's is wrong for subnormal numbers"
OTHER_REASON["topk(scalar(count(temp)), cpu_total)"] = "a parameter that is NaN has an error text of its own in version 3"
WORDING = "version 3 names the parameter: invalid parameter \"query\""
OTHER_REASON['"a string"'] = OTHER_REASON["cpu_total[40s]"] = WORDING

# Here samples and inner steps do lie on a window's left edge: those of these that differ are the left-open change.
EDGES = ["count_over_time(whole[1m])", "rate(cpu_total[1m])", "increase(cpu_total[5m])", "delta(temp[5m])", "sum_over_time(whole[5m])", "avg_over_time(noise[1m])",
         "first", "count_over_time(whole[10m:1m])", "max_over_time(rate(cpu_total[1m])[10m:1m])", "changes(whole[5m])", "quantile_over_time(0.5, whole[1m])",
         "irate(cpu_total[1m])", "last_over_time(whole[15s])", "sparse", "ends", "absent_over_time(ends[5m])", "temp", "topk(2, temp)"]
