// promql serve: the HTTP API.
#include "api/serve.h"

#include "base/strings.h"
#include "command.h"

namespace prom::cli {

int RunServe(const Options& o) {
  auto engine = EngineOptionsOf(o);
  if (!engine) return Fail(engine.error());
  if (!o.args.empty()) return Fail({Errc::kInvalid, "serve takes no argument: " + o.args[0]});
  api::ServeOptions s;
  s.data_dir = o.data;
  s.run_dir = o.run_dir;
  s.config_file = o.config_file;
  if (!o.listen.empty()) s.server.listen_addresses = o.listen;
  s.server.enable_lifecycle = o.lifecycle;
  s.server.query.engine = *engine;
  s.server.query.max_concurrency = o.max_concurrency;
  s.server.http.workers = static_cast<std::size_t>(o.max_concurrency) + 4;
  s.flags = {{"config.file", o.config_file}, {"storage.tsdb.path", o.data}, {"web.listen-address", Join(s.server.listen_addresses, ",")}, {"query.lookback-delta", o.lookback},
             {"query.timeout", o.timeout}, {"query.max-samples", std::to_string(o.max_samples)}, {"query.max-concurrency", std::to_string(o.max_concurrency)},
             {"web.enable-lifecycle", o.lifecycle ? "true" : "false"}, {"enable-feature", Join(o.features, ",")}};
  if (auto done = api::Serve(std::move(s), SystemClock()); !done) return Fail(done.error());
  return 0;
}

}  // namespace prom::cli
