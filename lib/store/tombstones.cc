#include "store/tombstones.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/json.h"
#include "base/number.h"
#include "base/strings.h"
#include "base/ulid.h"
#include "store/hidden.h"

namespace prom::store {
namespace {

constexpr std::string_view kTitle = "promkit tombstones ";
constexpr std::uint64_t kMaxBytes = 64u << 20;
constexpr std::string_view kOperators[] = {"=", "!=", "=~", "!~"};

class HidingSelection : public Selection {
 public:
  HidingSelection(std::unique_ptr<Selection> source, const Tombstones& tombstones, std::int64_t min_ms, std::int64_t max_ms) : source_(std::move(source)) {
    for (std::size_t i = 0; i < source_->size(); ++i) {
      auto hidden = HiddenOf(source_->labels(i), tombstones);
      if (HidesAll(hidden, min_ms, max_ms)) continue;
      chosen_.push_back(i);
      hidden_.push_back(std::move(hidden));
    }
  }
  std::size_t size() const override { return chosen_.size(); }
  const Labels& labels(std::size_t i) const override { return source_->labels(chosen_[i]); }

  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override {
    PROM_TRY(source_->Read(chosen_[i], min_ms, max_ms, out));
    RemoveHidden(hidden_[i], out);
    return {};
  }

 private:
  std::unique_ptr<Selection> source_;
  std::vector<std::size_t> chosen_;
  std::vector<HiddenRanges> hidden_;
};

class HidingQueryable : public Queryable {
 public:
  HidingQueryable(std::shared_ptr<const Queryable> source, Tombstones tombstones) : source_(std::move(source)), tombstones_(std::move(tombstones)) {}

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    const auto [oldest, newest] = source_->TimeRange();
    PROM_ASSIGN(auto selection, source_->Select(matchers, min_ms, max_ms));
    return std::unique_ptr<Selection>(new HidingSelection(std::move(selection), tombstones_, std::max(min_ms, oldest), std::min(max_ms, newest)));
  }
  // Names that only deleted series have stay until compaction, as upstream's do: "may have samples".
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    return source_->LabelNames(matchers, min_ms, max_ms);
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    return source_->LabelValues(name, matchers, min_ms, max_ms);
  }
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override { return source_->ListMetadata(); }
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override {
    PROM_ASSIGN(auto all, source_->Exemplars(any_of, min_ms, max_ms));
    for (auto& s : all) {
      const auto hidden = HiddenOf(s.series, tombstones_);
      std::erase_if(s.exemplars, [&](const Exemplar& e) { return Hides(hidden, e.t_ms); });
    }
    std::erase_if(all, [](const SeriesExemplars& s) { return s.exemplars.empty(); });
    return all;
  }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return source_->TimeRange(); }

 private:
  std::shared_ptr<const Queryable> source_;
  Tombstones tombstones_;
};

// A whole number of JSON, exactly.
std::optional<std::int64_t> IntField(const JsonValue& object, std::string_view key) {
  const JsonValue* v = object.Find(key);
  if (v == nullptr || v->kind != JsonValue::Kind::kNumber) return std::nullopt;
  return ParseInt64(v->text);
}

std::optional<Tombstone> ParseLine(std::string_view line) {
  const auto json = ParseJson(line);
  if (!json || json->kind != JsonValue::Kind::kObject) return std::nullopt;
  const auto min = IntField(*json, "min"), max = IntField(*json, "max");
  const JsonValue *matchers = json->Find("matchers"), *blocks = json->Find("blocks"), *epochs = json->Find("epochs");
  if (!min || !max || *min > *max || matchers == nullptr || matchers->items.empty() || blocks == nullptr || epochs == nullptr) return std::nullopt;
  Tombstone t;
  if (const JsonValue* id = json->Find("id"); id != nullptr) t.id = ParseUint64(id->text).value_or(0);
  t.min_ms = *min;
  t.max_ms = *max;
  auto parsed = ParseMatchersJson(*matchers);
  if (!parsed) return std::nullopt;
  t.matchers = std::move(*parsed);
  for (const JsonValue& b : blocks->items) {
    if (!IsUlid(b.text)) return std::nullopt;
    t.blocks.push_back(b.text);
  }
  for (const JsonValue& e : epochs->items) {
    const auto n = ParseUint64(e.text);
    if (!n) return std::nullopt;
    t.epochs.push_back(*n);
  }
  return t;
}

Tombstones Filter(const Tombstones& all, auto covers) {
  Tombstones out;
  for (const Tombstone& t : all) {
    if (covers(t)) out.push_back(t);
  }
  return out;
}

}  // namespace

bool Tombstone::CoversBlock(std::string_view ulid) const { return std::find(blocks.begin(), blocks.end(), ulid) != blocks.end(); }
bool Tombstone::CoversEpoch(std::uint64_t epoch) const { return std::find(epochs.begin(), epochs.end(), epoch) != epochs.end(); }

void AppendMatchersJson(JsonWriter* json, const Matchers& matchers) {
  json->BeginArray();
  for (const Matcher& m : matchers) json->BeginArray().String(m.name()).String(kOperators[static_cast<std::size_t>(m.type())]).String(m.value()).EndArray();
  json->EndArray();
}

Result<Matchers> ParseMatchersJson(const JsonValue& list) {
  Matchers out;
  for (const JsonValue& m : list.items) {
    if (m.items.size() != 3) return Error{Errc::kInvalid, "a matcher is not [name, operator, value]"};
    const auto op = std::find(std::begin(kOperators), std::end(kOperators), m.items[1].text);
    if (op == std::end(kOperators)) return Error{Errc::kInvalid, "unknown operator of a matcher: " + m.items[1].text};
    PROM_ASSIGN(auto matcher, Matcher::Make(static_cast<Matcher::Type>(op - std::begin(kOperators)), m.items[0].text, m.items[2].text));
    out.push_back(std::move(matcher));
  }
  return out;
}

std::string FormatTombstones(const Tombstones& tombstones) {
  std::string out(kTitle);
  out += "1\n";
  for (const Tombstone& t : tombstones) {
    JsonWriter w(&out);
    w.BeginObject().Field("min", t.min_ms).Field("max", t.max_ms).Key("matchers");
    AppendMatchersJson(&w, t.matchers);
    w.Key("blocks").BeginArray();
    for (const auto& b : t.blocks) w.String(b);
    w.EndArray().Key("epochs").BeginArray();
    for (const auto e : t.epochs) w.Uint(e);
    w.EndArray().Field("id", t.id).EndObject();
    out += "\n";
  }
  out += StringPrintf("crc %08x\n", Crc32c(out));
  return out;
}

Result<Tombstones> ParseTombstones(std::string_view text, std::string_view path) {
  const auto fail = [&](std::string_view what) { return Error{Errc::kCorrupt, std::string(path) + ": " + std::string(what)}; };
  if (!text.starts_with(kTitle)) return fail("not a file of tombstones");
  const std::string_view version = text.substr(kTitle.size(), std::min(text.find('\n'), text.size()) - kTitle.size());
  if (version != "1") {
    if (ParseUint64(version)) return Error{Errc::kUnsupported, std::string(path) + " has format version " + std::string(version) + "; this program reads 1"};
    return fail("bad version");
  }
  if (text.size() < 14 || text[text.size() - 14] != '\n' ||
      text.substr(text.size() - 13) != StringPrintf("crc %08x\n", Crc32c(text.substr(0, text.size() - 13)))) {
    return fail("checksum does not match");
  }
  Tombstones out;
  std::size_t number = 0;
  for (const std::string_view line : Split(text.substr(0, text.size() - 14), '\n')) {
    if (++number == 1) continue;
    auto t = ParseLine(line);
    if (!t) return fail("line " + std::to_string(number) + ": bad tombstone");
    out.push_back(std::move(*t));
  }
  return out;
}

Tombstones GuessTombstones(std::string_view text) {
  Tombstones out;
  for (const std::string_view line : Split(text, '\n')) {
    if (auto t = ParseLine(line); t) out.push_back(std::move(*t));
  }
  return out;
}

Result<Tombstones> ReadTombstones(Io& io, std::string_view data_dir, const Manifest& manifest) {
  if (manifest.tombstones.empty()) return Tombstones{};
  const std::string path = JoinPath(data_dir, manifest.tombstones);
  PROM_ASSIGN(const std::string text, ReadFile(io, path, kMaxBytes));
  return ParseTombstones(text, path);
}

Result<void> AddTombstones(Io& io, std::string_view data_dir, const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms, Manifest* m) {
  if (min_ms > max_ms) return Error{Errc::kInvalid, "delete: the range ends before it begins"};
  PROM_ASSIGN(Tombstones all, ReadTombstones(io, data_dir, *m));
  for (const Matchers& matchers : any_of) {
    if (matchers.empty()) return Error{Errc::kInvalid, "delete: no matcher given"};
    for (const Matcher& matcher : matchers) {
      if (!IsValidUtf8(matcher.name()) || !IsValidUtf8(matcher.value())) return Error{Errc::kInvalid, "delete: matcher is not valid UTF-8: " + matcher.ToString()};
    }
    Tombstone t;
    t.id = m->generation + 1;
    t.matchers = matchers;
    t.min_ms = min_ms;
    t.max_ms = max_ms;
    for (const auto& b : m->blocks) {
      if (b.min_ms <= max_ms && b.max_ms >= min_ms) t.blocks.push_back(b.ulid);
    }
    for (const auto& e : m->epochs) t.epochs.push_back(e.number);
    all.push_back(std::move(t));
  }
  const std::string name = "tombstones-" + std::to_string(m->generation + 1);
  PROM_TRY(WriteFileAtomic(io, JoinPath(data_dir, name), FormatTombstones(all)));
  m->tombstones = name;
  return {};
}

Result<std::uint64_t> DeleteSamples(Io& io, const std::string& data_dir, const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms,
                                    const ManifestEditor& edit) {
  Result<void> added;
  std::string before, after;
  std::uint64_t id = 0;
  PROM_TRY(edit([&](Manifest* m) {
    before = m->tombstones;
    id = m->generation + 1;
    added = AddTombstones(io, data_dir, any_of, min_ms, max_ms, m);
    after = m->tombstones;
    return static_cast<bool>(added);
  }));
  if (!added) return std::move(added.error());
  if (!before.empty() && before != after) (void)io.Remove(JoinPath(data_dir, before));
  return id;
}

namespace {

Result<void> TakeOut(Io& io, const std::string& data_dir, std::uint64_t id, Manifest* m) {
  PROM_ASSIGN(Tombstones all, ReadTombstones(io, data_dir, *m));
  const auto is_it = [&](const Tombstone& t) { return t.id == id; };
  const auto hides_something = [&](const Tombstone& t) {
    return is_it(t) && (std::any_of(m->blocks.begin(), m->blocks.end(), [&](const auto& b) { return t.CoversBlock(b.ulid); }) ||
                        std::any_of(m->epochs.begin(), m->epochs.end(), [&](const auto& e) { return t.CoversEpoch(e.number); }));
  };
  if (std::none_of(all.begin(), all.end(), is_it)) return Error{Errc::kNotFound, "no deletion " + std::to_string(id) + " is pending: never made, undone, or compacted"};
  if (std::none_of(all.begin(), all.end(), hides_something))
    return Error{Errc::kNotFound, "deletion " + std::to_string(id) + " has been compacted: its samples are gone for good"};
  std::erase_if(all, is_it);
  m->tombstones.clear();
  if (all.empty()) return {};
  const std::string name = "tombstones-" + std::to_string(m->generation + 1);
  PROM_TRY(WriteFileAtomic(io, JoinPath(data_dir, name), FormatTombstones(all)));
  m->tombstones = name;
  return {};
}

}  // namespace

Result<void> UndeleteSamples(Io& io, const std::string& data_dir, std::uint64_t id, const ManifestEditor& edit) {
  Result<void> taken;
  std::string before;
  PROM_TRY(edit([&](Manifest* m) {
    before = m->tombstones;
    taken = TakeOut(io, data_dir, id, m);
    return static_cast<bool>(taken);
  }));
  if (taken && !before.empty()) (void)io.Remove(JoinPath(data_dir, before));
  return taken;
}

Result<bool> PruneTombstones(Io& io, std::string_view data_dir, Manifest* m) {
  if (m->tombstones.empty()) return false;
  PROM_ASSIGN(const Tombstones all, ReadTombstones(io, data_dir, *m));
  for (const Tombstone& t : all) {
    for (const auto& b : m->blocks) {
      if (t.CoversBlock(b.ulid)) return false;
    }
    for (const auto& e : m->epochs) {
      if (t.CoversEpoch(e.number)) return false;
    }
  }
  m->tombstones.clear();
  return true;
}

std::shared_ptr<const Queryable> HideDeleted(std::shared_ptr<const Queryable> source, Tombstones tombstones) {
  if (tombstones.empty()) return source;
  return std::make_shared<HidingQueryable>(std::move(source), std::move(tombstones));
}

Tombstones OfBlock(const Tombstones& all, std::string_view ulid) {
  return Filter(all, [&](const Tombstone& t) { return t.CoversBlock(ulid); });
}
Tombstones OfEpoch(const Tombstones& all, std::uint64_t epoch) {
  return Filter(all, [&](const Tombstone& t) { return t.CoversEpoch(epoch); });
}

}  // namespace prom::store
