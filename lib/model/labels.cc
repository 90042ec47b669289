#include "model/labels.h"

#include <algorithm>

#include "base/hash.h"
#include "base/strings.h"

namespace prom {
namespace {

// Reads one length + bytes; the layout is checked when Labels are made.
std::string_view TakeString(const char** p) {
  const auto* u = reinterpret_cast<const unsigned char*>(*p);
  std::size_t n = *u;
  *p += 1;
  if (n == 255) {
    n = u[1] | std::size_t{u[2]} << 8 | std::size_t{u[3]} << 16;
    *p += 3;
  }
  const std::string_view out(*p, n);
  *p += n;
  return out;
}

constexpr std::size_t kMaxString = (1u << 24) - 1;

void PutString(std::string* out, std::string_view s) {
  s = s.substr(0, kMaxString);  // three length bytes; limits on input are far below
  if (s.size() < 255) {
    out->push_back(static_cast<char>(s.size()));
  } else {
    out->push_back(static_cast<char>(255));
    for (int i = 0; i < 3; ++i) out->push_back(static_cast<char>(s.size() >> (8 * i)));
  }
  out->append(s);
}

}  // namespace

Label Labels::Iterator::operator*() const {
  const char* p = p_;
  const std::string_view name = TakeString(&p);
  return {name, TakeString(&p)};
}

Labels::Iterator& Labels::Iterator::operator++() {
  TakeString(&p_);
  TakeString(&p_);
  return *this;
}

Labels::Labels(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  LabelsBuilder builder;
  for (const auto& [name, value] : labels) builder.Set(name, value);
  *this = builder.Build();
}

Labels Labels::FromPairs(std::vector<std::pair<std::string, std::string>> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  Labels out;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].second.empty() || (i + 1 < pairs.size() && pairs[i + 1].first == pairs[i].first)) continue;
    PutString(&out.bytes_, pairs[i].first);
    PutString(&out.bytes_, pairs[i].second);
  }
  return out;
}

Labels Labels::FromSorted(const std::vector<Label>& labels) {
  Labels out;
  std::size_t size = 0;
  bool is_long = false;
  for (const Label& l : labels) {
    size += l.name.size() + l.value.size() + 2;
    is_long = is_long || std::max(l.name.size(), l.value.size()) >= 255;
  }
  if (is_long) {
    for (const Label& l : labels) {
      PutString(&out.bytes_, l.name);
      PutString(&out.bytes_, l.value);
    }
    return out;
  }
  // Indexes make millions of these: no check for room for each of the parts.
  out.bytes_.resize(size);
  char* p = out.bytes_.data();
  for (const Label& l : labels) {
    for (const std::string_view s : {l.name, l.value}) {
      *p++ = static_cast<char>(s.size());
      p = std::copy_n(s.data(), s.size(), p);
    }
  }
  return out;
}

Result<Labels> Labels::FromBytes(std::string_view bytes) {
  std::size_t at = 0;
  std::string_view previous;
  bool is_name = true, first = true;
  while (at < bytes.size()) {
    std::size_t n = static_cast<unsigned char>(bytes[at++]);
    if (n == 255) {
      if (bytes.size() - at < 3) return Error{Errc::kCorrupt, "label set: length cut off"};
      n = static_cast<unsigned char>(bytes[at]) | std::size_t{static_cast<unsigned char>(bytes[at + 1])} << 8 |
          std::size_t{static_cast<unsigned char>(bytes[at + 2])} << 16;
      if (n < 255) return Error{Errc::kCorrupt, "label set: length not in its shortest form"};
      at += 3;
    }
    if (n > bytes.size() - at) return Error{Errc::kCorrupt, "label set: text cut off"};
    const std::string_view text = bytes.substr(at, n);
    if (n == 0) return Error{Errc::kCorrupt, "label set: empty name or value"};
    if (is_name) {
      if (!first && text <= previous) return Error{Errc::kCorrupt, "label set: names not ascending"};
      previous = text;
      first = false;
    }
    is_name = !is_name;
    at += n;
  }
  if (!is_name) return Error{Errc::kCorrupt, "label set: name without a value"};
  Labels out;
  out.bytes_ = bytes;
  return out;
}

std::size_t Labels::size() const {
  std::size_t n = 0;
  for (auto it = begin(); it != end(); ++it) ++n;
  return n;
}

std::string_view Labels::Get(std::string_view name) const {
  for (const Label l : *this) {
    if (l.name == name) return l.value;
    if (l.name > name) break;
  }
  return {};
}

bool Labels::Has(std::string_view name) const { return !Get(name).empty(); }

std::uint64_t Labels::Hash() const { return XxHash64(bytes_); }

std::strong_ordering operator<=>(const Labels& a, const Labels& b) {
  if (a.bytes_ == b.bytes_) return std::strong_ordering::equal;
  auto i = a.begin(), j = b.begin();
  for (; i != a.end() && j != b.end(); ++i, ++j)
    if (const auto c = *i <=> *j; c != 0) return c;
  return i == a.end() ? std::strong_ordering::less : std::strong_ordering::greater;
}

namespace {
void AppendName(std::string* out, std::string_view name, bool legacy) {
  if (legacy) {
    *out += name;
  } else {
    AppendQuoted(out, name);
  }
}
}  // namespace

std::string Labels::ToString() const {
  std::string out = "{";
  bool first = true;
  for (const Label l : *this) {
    if (!first) out += ", ";
    first = false;
    AppendName(&out, l.name, IsLegacyLabelName(l.name));
    out += '=';
    AppendQuoted(&out, l.value);
  }
  return out + '}';
}

std::string Labels::ToSeries() const {
  const std::string_view name = metric_name();
  const bool legacy_name = IsLegacyMetricName(name);
  std::string out;
  if (legacy_name) out = name;
  bool open = false;
  const auto separate = [&] {
    out += open ? ", " : "{";
    open = true;
  };
  if (!name.empty() && !legacy_name) {
    separate();
    AppendQuoted(&out, name);
  }
  for (const Label l : *this) {
    if (l.name == kMetricName) continue;
    separate();
    AppendName(&out, l.name, IsLegacyLabelName(l.name));
    out += '=';
    AppendQuoted(&out, l.value);
  }
  if (open) out += '}';
  if (out.empty()) out = "{}";
  return out;
}

void LabelsBuilder::Reset(const Labels& base) {
  labels_.clear();
  for (const Label l : base) labels_.emplace_back(l.name, l.value);
}

LabelsBuilder& LabelsBuilder::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Del(name);
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name, [](const auto& l, std::string_view n) { return l.first < n; });
  if (at != labels_.end() && at->first == name) {
    at->second = value;
  } else {
    labels_.emplace(at, name, value);
  }
  return *this;
}

LabelsBuilder& LabelsBuilder::Del(std::string_view name) {
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name, [](const auto& l, std::string_view n) { return l.first < n; });
  if (at != labels_.end() && at->first == name) labels_.erase(at);
  return *this;
}

void LabelsBuilder::Keep(const std::vector<std::string>& names) {
  std::erase_if(labels_, [&](const auto& l) { return std::find(names.begin(), names.end(), l.first) == names.end(); });
}

std::string_view LabelsBuilder::Get(std::string_view name) const {
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name, [](const auto& l, std::string_view n) { return l.first < n; });
  return at != labels_.end() && at->first == name ? std::string_view(at->second) : std::string_view();
}

Labels LabelsBuilder::Build() const {
  std::vector<Label> views;
  views.reserve(labels_.size());
  for (const auto& [name, value] : labels_) views.push_back({name, value});
  return Labels::FromSorted(views);
}

namespace {
bool IsLegacyName(std::string_view name, bool colon) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (colon && c == ':'))) return false;
  return true;
}
}  // namespace

bool IsLegacyLabelName(std::string_view name) { return IsLegacyName(name, false); }
bool IsLegacyMetricName(std::string_view name) { return IsLegacyName(name, true); }
bool IsValidLabelName(std::string_view name) { return !name.empty() && IsValidUtf8(name); }

}  // namespace prom
