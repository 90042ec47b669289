#include <cstdio>

#include "base/io.h"
#include "base/json.h"
#include "base/time.h"
#include "command.h"
#include "store/repair.h"
#include "store/verify.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore verify -d DATA [--repair] [--json]\n"
    "\n"
    "Reads everything and checks it. One line for each damage: file, offset, series, times.\n"
    "Exit code 3 when there is any. The directory may be in use.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "      --repair                  write damaged parts anew from all that is sound in them,\n"
    "                                through the running store if there is one; the originals\n"
    "                                stay in DATA/damaged/. Exit code 3: some damage is left\n"
    "      --json\n"
    "\n"
    "  promstore verify -d data\n"
    "  promstore verify -d data --repair && rm -r data/damaged\n";

class Verify : public Command {
 public:
  const char* name() const override { return "verify"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Switch("--repair", &repair_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    if (!repair_) {
      auto result = prom::store::VerifyDataDir(prom::SystemIo(), data);
      if (!result) return Fail(result.error());
      return Report(*result, nullptr);
    }
    auto s = prom::store::RepairDataDir(prom::SystemIo(), prom::SystemClock(), data);
    if (!s) return Fail(s.error());
    return Report(s->before, &*s);
  }

 private:
  // `repaired` is null when nothing was to be repaired.
  int Report(const prom::store::VerifyResult& r, const prom::store::RepairSummary* repaired) const {
    const auto& left = repaired != nullptr ? repaired->after : r;
    std::string out;
    if (json_) {
      prom::JsonWriter json(&out);
      json.BeginObject().Field("blocks", r.blocks).Field("epochs", r.epochs).Field("series", r.series).Field("samples", r.samples);
      Problems(&json, "problems", r);
      if (repaired != nullptr) {
        json.Key("repaired").BeginArray();
        for (const std::string& line : repaired->done) json.String(line);
        json.EndArray();
        Problems(&json, "left", repaired->after);
      }
      json.EndObject();
      out += "\n";
    } else {
      for (const auto& problem : r.problems) out += problem.ToString() + "\n";
      if (r.more) out += "... and more\n";
      if (repaired != nullptr) {
        for (const std::string& line : repaired->done) out += "repaired: " + line + "\n";
        for (const auto& problem : left.problems) out += "left: " + problem.ToString() + "\n";
      }
    }
    if (auto done = WriteOut(out); !done) return Fail(done.error());
    if (const int failed = Flush(); failed != 0) return failed;
    const std::string found = r.problems.empty() ? "no damage" : std::to_string(r.problems.size()) + " problems";
    std::fprintf(stderr, "promstore: %llu blocks, %llu epochs, %llu series, %llu samples read: %s", static_cast<unsigned long long>(r.blocks),
                 static_cast<unsigned long long>(r.epochs), static_cast<unsigned long long>(r.series), static_cast<unsigned long long>(r.samples), found.c_str());
    if (repaired != nullptr && !r.problems.empty()) std::fprintf(stderr, ", %zu left after the repair", left.problems.size());
    std::fputc('\n', stderr);
    return left.problems.empty() ? 0 : 3;
  }

  static void Problems(prom::JsonWriter* json, const char* key, const prom::store::VerifyResult& r) {
    json->Key(key).BeginArray();
    for (const auto& p : r.problems) {
      json->BeginObject().Field("file", p.file).Field("offset", p.offset).Field("what", p.what);
      if (!p.series.empty()) json->Field("series", p.series);
      if (p.min_ms <= p.max_ms) json->Field("min_time", p.min_ms).Field("max_time", p.max_ms);
      json->EndObject();
    }
    json->EndArray();
  }

  bool repair_ = false, json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeVerify() { return std::make_unique<Verify>(); }
