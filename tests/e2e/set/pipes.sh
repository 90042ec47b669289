# The main job in a shell: what the programs say to each other through pipes.
. "$E2E/lib.sh"
promnode | promstore append -d D
modes=$(promql -d D -o tsv 'sum by (mode) (node_cpu_seconds_total)' | tail -n +2 | cut -f1 | sort | tr '\n' ' ')
expect_eq "eight modes" "$modes" "idle iowait irq nice softirq steal system user "

port=$(free_port)
start node promnode --web.listen-address=127.0.0.1:$port
wait_for promnode 5 curl -sf "http://127.0.0.1:$port/metrics"
promscrape "http://127.0.0.1:$port/metrics" >stream
expect_eq "a readable stream" "$(tr -d '[:print:]\n\t' <stream | wc -c)" 0
promstore append -d D <stream
modes=$(promql -d D -o tsv 'sum by (mode) (node_cpu_seconds_total{job="promscrape"})' | tail -n +2 | wc -l)
expect_eq "eight modes of the target" "$modes" 8
expect_eq "up" "$(promql -d D -o tsv 'up' | tail -n 1 | awk '{print $NF}')" 1
# What went in comes out.
promstore dump -d D '{job="promscrape"}' | grep -v '^#' | sort >dumped
grep -v '^#' stream | sort >sent
cmp sent dumped || fail "dump differs from what was appended"
