# A page of promnode goes through a pipe into the store, without and with a running writer; labels are
# added; the samples of a page have one time.
. "$E2E/lib.sh"
command -v promnode >/dev/null || skip "no promnode"
promnode >page.txt
promstore append -d D --label site=home <page.txt
series=$(grep -vc '^#' page.txt)
promstore dump -d D >dump.txt
expect_eq "series" "$(grep -vc '^#' dump.txt)" "$series"
expect_eq "label on all" "$(grep -v '^#' dump.txt | grep -c 'site="home"')" "$series"
expect_eq "one time" "$(grep -v '^#' dump.txt | awk '{print $NF}' | sort -u | wc -l)" 1
expect_eq "metadata" "$(grep -c '^# TYPE' dump.txt)" "$(grep -c '^# TYPE' page.txt)"

start serve promstore serve -d E
wait_for "the store" 5 grep -q '"ready":true' E/run/promstore.json
promnode | promstore append -d E
promnode | promstore append -d E
expect_eq "two samples a series" "$(promstore dump -d E 'node_load1' | grep -vc '^#')" 2
