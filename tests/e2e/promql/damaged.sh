# Lookups over a damaged head answer with what is left, and say what is not there.
. "$E2E/lib.sh"; E2E_LIB=1
. "$CASE/data.sh"
python3 - "$(find "$DATA/head" -name series)" <<'END'
import sys
data = open(sys.argv[1], "rb").read()
at = data.index(b"requests_total")
with open(sys.argv[1], "r+b") as f:
    f.seek(at)
    f.write(b"X")
END
notes() { expect_has "$1" "$(cat err)" 'promql: .*/series: byte [0-9]+: damaged; its series are left out'; }
expect_eq "labels" "$(promql labels -d "$DATA" 2>err | tr '\n' ' ')" "__name__ instance job path "
notes "labels"
expect_eq "values" "$(promql values __name__ -d "$DATA" 2>err | tr '\n' ' ')" "odd up "
notes "values"
expect_eq "series" "$(promql series 'up{instance="a:9100"}' -d "$DATA" 2>err)" 'up{instance="a:9100", job="node"}'
notes "series"
expect_eq "no series" "$(promql series requests_total -d "$DATA" 2>err)" ""
notes "no series"
expect_has "metrics" "$(promql metrics -d "$DATA" 2>err)" '^up'
notes "metrics"

port=$(free_port)
url=http://127.0.0.1:$port
start promql promql serve -d "$DATA" --web.listen-address=127.0.0.1:"$port"
wait_for "readiness" 5 curl -fs "$url/-/ready"
warning='"warnings":\["[^"]*/series: byte [0-9]+: damaged; its series are left out"\]}$'
expect_has "labels over HTTP" "$(curl -fsS "$url/api/v1/labels?match[]=up&match[]=odd" -g)" '^{"status":"success","data":\["__name__","instance","job","path"\],'"$warning"
expect_has "values over HTTP" "$(curl -fsS "$url/api/v1/label/__name__/values")" '^{"status":"success","data":\["odd","up"\],'"$warning"
expect_has "series over HTTP" "$(curl -fsS -G "$url/api/v1/series" --data-urlencode 'match[]=odd' --data-urlencode 'match[]=requests_total')" '^{"status":"success","data":\[{"__name__":"odd",[^]]*\],'"$warning"
expect_eq "a server asked from afar" "$(promql values __name__ --url "$url" 2>err | tr '\n' ' ')" "odd up "
notes "a server asked from afar"
