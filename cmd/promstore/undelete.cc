#include "base/io.h"
#include "base/json.h"
#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "command.h"
#include "store/data_dir.h"
#include "store/deletion.h"
#include "store/requests.h"

namespace {

constexpr const char* kUsage =
    "usage: promstore undelete -d DATA [--json] [ID]\n"
    "\n"
    "Takes back the deletion ID; without one lists those that can be: id, range, matchers, and\n"
    "of how many blocks and epochs of the head the samples do not come back, as they have been\n"
    "compacted since.\n"
    "\n"
    "  -d, --storage.tsdb.path DIR   data directory (data)\n"
    "\n"
    "  promstore undelete -d data\n";

std::string Time(std::int64_t ms) { return ms == prom::kMinTimeMs || ms == prom::kMaxTimeMs ? "-" : prom::FormatTimeRfc3339(ms); }

class Undelete : public Command {
 public:
  const char* name() const override { return "undelete"; }
  const char* usage() const override { return kUsage; }
  void AddFlags(FlagSet& flags) override {
    flags.Text("id", &id_);
    flags.Switch("--json", &json_);
  }
  int Run() override {
    auto dir = prom::store::DataDir::Open(prom::SystemIo(), data);
    if (!dir) return Fail(dir.error());
    if (id_.empty()) return List(**dir);
    const auto id = prom::ParseUint64(id_);
    if (!id) return Fail({prom::Errc::kInvalid, "not the number of a deletion: " + prom::Quote(id_) + " (promstore undelete lists them)"});
    auto access = prom::store::WriterAccess::Open(prom::SystemIo(), prom::SystemClock(), data, {});
    if (!access) return Fail(access.error());
    if (auto done = (*access)->Undelete(*id); !done) return Fail(done.error());
    if (auto done = (*access)->Close(); !done) return Fail(done.error());
    return 0;
  }

 private:
  int List(prom::store::DataDir& dir) const {
    auto parts = dir.OpenParts();
    if (!parts) return Fail(parts.error());
    std::string out;
    prom::JsonWriter json(&out);
    if (json_) json.BeginArray();
    if (!json_) out = "ID\tFROM\tTO\tPARTS\tCOMPACTED\tMATCHERS\n";
    for (const auto& d : prom::store::PendingDeletions(**parts)) {
      std::vector<std::string> selectors;
      for (const prom::Matchers& matchers : d.any_of) {
        std::vector<std::string> texts;
        for (const prom::Matcher& m : matchers) texts.push_back(m.ToString());
        selectors.push_back("{" + prom::Join(texts, ",") + "}");
      }
      if (json_) {
        json.BeginObject().Field("id", d.id);
        if (d.min_ms != prom::kMinTimeMs) json.Field("start", d.min_ms);
        if (d.max_ms != prom::kMaxTimeMs) json.Field("end", d.max_ms);
        json.Field("parts", d.parts).Field("compacted", d.compacted).Key("matchers").BeginArray();
        for (const std::string& s : selectors) json.String(s);
        json.EndArray().EndObject();
      } else {
        out += std::to_string(d.id) + "\t" + Time(d.min_ms) + "\t" + Time(d.max_ms) + "\t" + std::to_string(d.parts) + "\t" + std::to_string(d.compacted) + "\t" + prom::Join(selectors, " ") + "\n";
      }
    }
    if (json_) {
      json.EndArray();
      out += "\n";
    }
    if (auto done = WriteOut(out); !done) return Fail(done.error());
    return Flush();
  }

  std::string id_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeUndelete() { return std::make_unique<Undelete>(); }
