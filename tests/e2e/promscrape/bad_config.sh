# Bad configurations end with code 2 and one line that names the place.
. "$E2E/lib.sh"
check() {  # WHAT PATTERN, configuration on standard input
  cat >prometheus.yml
  expect_code "$1" 2 promscrape --config.file prometheus.yml
  expect_eq "$1: one line" "$(wc -l <.err)" 1
  expect_has "$1" "$err" "$2"
}
printf 'global: {scrape_intervall: 1s}\n' | check "unknown key" '^promscrape: prometheus.yml:1:10: .*field scrape_intervall not found'
printf 'global: {scrape_interval: 1s}\nglobal: {}\n' | check "duplicate key" '^promscrape: prometheus.yml:2:1: .*already set'
printf 'scrape_configs: 3\n' | check "wrong type" '^promscrape: prometheus.yml:1:17: '
printf 'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n' |
  check "alias bomb" '^promscrape: prometheus.yml:'
python3 -c 'print("a: " + "["*200000)' | check "200,000 levels" '^promscrape: prometheus.yml:'
printf 'a: &a [*a]\n' | check "an alias of itself" '^promscrape: prometheus.yml:'
printf '\0\0\0' | check "not text" '^promscrape: prometheus.yml:'
mkdir dir
expect_code "a directory" 2 promscrape --config.file dir
expect_code "no such file" 1 promscrape --config.file none.yml
expect_has "names the file" "$err" 'none.yml'
