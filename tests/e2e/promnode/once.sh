# In a shell: the page on stdout, nothing on stderr, exit code 0.
. "$E2E/lib.sh"

expect_code "plain run" 0 promnode
expect_eq "stderr" "$err" ""
modes=$(grep -c '^node_cpu_seconds_total{cpu="0",' <<<"$out")
expect_eq "modes of cpu 0" "$modes" 8
for name in node_memory_MemTotal_bytes node_load1 node_time_seconds node_uname_info node_vmstat_pgfault node_filefd_allocated \
  node_boot_time_seconds node_network_receive_bytes_total node_exporter_build_info process_open_fds; do
  expect_has "page" "$out" "^$name[ {]"
done
expect_eq "HELP before each TYPE" "$(grep -c '^# HELP' <<<"$out")" "$(grep -c '^# TYPE' <<<"$out")"
names=$(grep '^# TYPE' <<<"$out" | cut -d' ' -f3)
expect_eq "families sorted" "$(sort -c <<<"$names" 2>&1)" ""
expect_eq "families once" "$(uniq -d <<<"$names")" ""

# Only what is asked for.
expect_code "defaults off" 0 promnode --collector.disable-defaults --collector.loadavg --web.disable-exporter-metrics
got=$(grep -v '^#' <<<"$out" | sed 's/[ {].*//' | sort -u | tr '\n' ' ')
expect_eq "families" "$got" "node_exporter_build_info node_load1 node_load15 node_load5 node_scrape_collector_duration_seconds node_scrape_collector_success "
expect_code "one off" 0 promnode --no-collector.meminfo
if grep -q node_memory <<<"$out"; then fail "meminfo is off but there"; fi

# Flags of collectors that are not there: the line starts, the gap is on the page.
expect_code "foreign flags" 0 promnode --no-collector.wifi --collector.systemd --collector.textfile.directory=/x --collector.ntp.server 1.2.3.4
expect_has "gap" "$out" '^node_scrape_collector_success\{collector="systemd"\} 0$'
expect_has "log" "$err" 'collector is not available.* name=systemd'
expect_has "log" "$err" 'flag="--collector.textfile.directory=/x"'

# Help on one screen, version, and what is refused.
expect_code "help" 0 promnode --help
[ "$(wc -l <<<"$out")" -le 40 ] || fail "--help is longer than a screen"
[ "$(awk '{ if (length > m) m = length } END { print m }' <<<"$out")" -le 90 ] || fail "--help is wider than a screen"
expect_code "version" 0 promnode --version
expect_has "version" "$out" '^promnode, version [0-9]+\.[0-9]+'
for bad in --bogus --collector.bogus stray --collector.vmstat.fields=[ --log.level=loud --web.max-requests=-1 --web.config.file=x \
  --collector.filesystem.mount-timeout=soon; do
  expect_code "bad flag $bad" 2 promnode "$bad"
  expect_eq "stdout of $bad" "$out" ""
  expect_has "stderr of $bad" "$err" '^promnode: '
done
expect_code "two filters" 2 promnode --collector.netdev.device-include=a --collector.netdev.device-exclude=b
expect_has "two filters" "$err" 'mutually exclusive'

# A collector that fails: the rest is printed, exit code 1.
mkdir -p proc && echo 'not numbers' >proc/loadavg && cp /proc/meminfo proc/
expect_code "bad file" 1 promnode --path.procfs=proc
expect_has "rest of the page" "$out" '^node_memory_MemTotal_bytes '
expect_has "log" "$err" 'proc/loadavg:1: bad number'
code=0
promnode >/dev/full 2>err || code=$?
expect_eq "full disk" "$code" 1
expect_has "full disk" "$(cat err)" 'No space left'
