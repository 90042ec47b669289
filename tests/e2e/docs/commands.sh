# Every command that the README and the manual show runs as shown. Lines "$ command" of console blocks and
# ".Dl $ command" are run in order, in one directory, with the usual ports replaced by free ones.
. "$E2E/lib.sh"
node=$(free_port) web=$(free_port)
cp -r "$SOURCE/examples/quickstart/." .
ports() { sed -e "s/\b9100\b/$node/g" -e "s/\b9090\b/$web/g"; }
for f in prometheus.yml sd/node.yml; do ports <$f >f.tmp && mv f.tmp $f; done
PATH=$SOURCE/scripts:$PATH

start node promnode --web.listen-address=127.0.0.1:$node
wait_for promnode 5 curl -sf "http://127.0.0.1:$node/metrics"
promnode | promstore append -d data 2>/dev/null

run_all() {  # NAME, commands on standard input
  local line n=0
  while IFS= read -r line; do
    n=$((n + 1))
    # A daemon in the foreground would not end: it must start and still be there after a second.
    case $line in
      *"&"|*--web.listen-address*|*--config.file*|*"promstore serve"*|*"tail -f"*)
        line=${line%&}
        timeout -s TERM 2 bash -c "$line" >.doc.out 2>&1 </dev/null && code=0 || code=$?
        [ $code -eq 124 ] || [ $code -eq 0 ] || { cat .doc.out; fail "$1: $line: exit code $code"; } ;;
      *) timeout 60 bash -o pipefail -c "$line" >.doc.out 2>&1 </dev/null || { code=$?; cat .doc.out; fail "$1: $line: exit code $code"; } ;;
    esac
  done
  echo "$1: $n commands"
  [ $n -gt 0 ] || fail "$1 shows no command"
}
sed -n '/^```console/,/^```/s/^\$ //p' "$SOURCE/README.md" | ports | grep -vE '^(make|git|sudo|apt|cd) ' >readme.commands
run_all README <readme.commands
for page in promnode promscrape promql promstore prometheus; do
  sed -n 's/^\.Dl \$ //p' "$SOURCE/man/man1/$page.1" | sed 's/\\e/\\/g; s/\\-/-/g; s/\\(aq/'"'"'/g' | ports >man.commands
  run_all "$page(1)" <man.commands
done
