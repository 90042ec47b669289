# make install puts a whole set under a prefix, stripped, that runs from there without the source tree.
. "$E2E/lib.sh"
build=$(cd "$BIN/.." && pwd)
[ -f "$build/cmake_install.cmake" ] || skip "no build tree beside the programs"
DESTDIR=$PWD/root cmake --install "$build" --strip --prefix /usr >/dev/null
for f in bin/{promnode,promscrape,promstore,promql,prometheus} share/man/man{1/promql.1,5/prom-data.5,7/promkit.7} share/promkit/examples/quickstart/prometheus.yml; do
  [ -f "root/usr/$f" ] || fail "$f is not installed"
done
# DESIGN's budget: promnode within 1.5 MiB.
[ "$(stat -c %s root/usr/bin/promnode)" -le 1572864 ] || echo "note: promnode has $(stat -c %s root/usr/bin/promnode) bytes"
port=$(free_port) node=$(free_port)
cp -r root/usr/share/promkit/examples/quickstart/. .
sed -i "s/localhost:9090/localhost:$port/" prometheus.yml
sed -i "s/localhost:9100/localhost:$node/" sd/*.yml
start unit env PATH=/usr/bin:/bin root/usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:$port --node=127.0.0.1:$node
wait_for "both targets up" 30 bash -c "curl -sf 'http://127.0.0.1:$port/api/v1/query?query=sum(up)' | grep -q '\"2\"\]'"
