# Every command that the README and the manual show runs as shown. Lines "$ command" of console blocks and
# ".Dl $ command" are run in order, in one directory, with the usual ports replaced by free ones.
. "$E2E/lib.sh"
node=$(free_port) web=$(free_port)
cp -r "$SOURCE/examples/quickstart/." .
ports() { sed -e "s/\b9100\b/$node/g" -e "s/\b9090\b/$web/g"; }
for f in prometheus.yml sd/node.yml; do ports <$f >f.tmp && mv f.tmp $f; done
PATH=$SOURCE/scripts:$PATH

run_all() {  # NAME, commands on standard input
  local line n=0 code
  while IFS= read -r line; do
    n=$((n + 1)) code=0
    case $line in
      *"&") # a daemon that later lines talk to
        start "doc$n" bash -c "exec ${line%&}"
        sleep 3
        kill -0 "$(cat "doc$n.pid")" || { cat "doc$n.log"; fail "$1: $line: ended"; } ;;
      *--web.listen-address*|*--config.file*|*"promstore serve"*|*"tail -f"*|*" --watch "*) # does not end by itself
        line=${line//$node/$(free_port)} line=${line//$web/$(free_port)}
        timeout -s TERM 2 bash -c "exec $line" >.doc.out 2>&1 </dev/null || code=$?
        [ $code -eq 124 ] || { cat .doc.out; fail "$1: $line: exit code $code"; } ;;
      "promql check "*) # has findings to show
        timeout 60 bash -c "$line" >.doc.out 2>&1 </dev/null || code=$?
        [ $code -eq 0 ] || [ $code -eq 3 ] || { cat .doc.out; fail "$1: $line: exit code $code"; } ;;
      *) timeout 60 bash -o pipefail -c "$line" >.doc.out 2>&1 </dev/null || { code=$?; cat .doc.out; fail "$1: $line: exit code $code"; } ;;
    esac
  done
  echo "$1: $n commands"
  [ $n -gt 0 ] || fail "$1 shows no command"
}
sed -n '/^```console/,/^```/s/^\$ //p' "$SOURCE/README.md" | ports | grep -vE '^(make|git|sudo|apt|cd) ' >readme.commands
run_all README <readme.commands
for page in promnode promscrape promql promstore prometheus; do
  sed -n 's/^\.Dl \$ //p' "$SOURCE/man/man1/$page.1" | sed 's/\\e/\\/g; s/\\-/-/g; s/\\(aq/'"'"'/g; s/\\(dq/"/g' | ports >man.commands
  run_all "$page(1)" <man.commands
done
