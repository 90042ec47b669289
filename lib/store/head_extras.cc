// Records: u32 crc of the rest, u32 size of the rest behind this field, u8 type, body.
#include "store/head_extras.h"

#include <bit>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/head_format.h"

namespace prom::store {

namespace {

constexpr std::uint8_t kExemplar = 1, kMetadata = 2;
constexpr std::size_t kRecordHeadBytes = 8;

void AppendRecord(std::string_view body, std::string* out) {
  const std::size_t at = out->size();
  AppendLe<std::uint32_t>(out, 0);
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(body.size()));
  *out += body;
  StoreLe<std::uint32_t>(out->data() + at, Crc32c(out->data() + at + 4, out->size() - at - 4));
}

void AppendExemplar(const SeriesExemplar& e, std::string* out) {
  std::string body(1, static_cast<char>(kExemplar));
  AppendLe<std::uint32_t>(&body, e.series);
  body.push_back(e.exemplar.has_time ? 1 : 0);
  AppendLe<std::int64_t>(&body, e.exemplar.t_ms);
  AppendLe<double>(&body, e.exemplar.value);
  body += e.exemplar.labels.bytes();
  AppendRecord(body, out);
}

void AppendMetadata(std::string_view metric, const Metadata& m, std::string* out) {
  std::string body(1, static_cast<char>(kMetadata));
  body.push_back(static_cast<char>(m.type));
  AppendLengthPrefixed(&body, metric);
  AppendLengthPrefixed(&body, m.help);
  AppendLengthPrefixed(&body, m.unit);
  AppendRecord(body, out);
}

bool ParseBody(std::string_view body, ExtrasContent* out) {
  ByteReader in(body);
  const std::uint8_t type = in.U8();
  if (type == kExemplar) {
    SeriesExemplar e;
    e.series = in.U32();
    e.exemplar.has_time = in.U8() != 0;
    e.exemplar.t_ms = in.Le<std::int64_t>();
    e.exemplar.value = in.F64();
    if (!in.ok()) return false;
    auto labels = Labels::FromBytes(in.Bytes(in.remaining()));
    if (!labels) return false;
    e.exemplar.labels = std::move(*labels);
    out->exemplars.push_back(std::move(e));
    return true;
  }
  if (type == kMetadata) {
    Metadata m;
    const std::uint8_t kind = in.U8();
    const std::string metric(in.LengthPrefixed());
    m.help = in.LengthPrefixed();
    m.unit = in.LengthPrefixed();
    if (!in.ok() || kind > static_cast<std::uint8_t>(MetricType::kStateSet)) return false;
    m.type = static_cast<MetricType>(kind);
    out->metadata[metric] = std::move(m);
    return true;
  }
  return false;
}

bool SameExemplar(const Exemplar& a, const Exemplar& b) {
  return a.t_ms == b.t_ms && std::bit_cast<std::uint64_t>(a.value) == std::bit_cast<std::uint64_t>(b.value) && a.labels == b.labels;
}

}  // namespace

std::string ExtrasName(std::uint32_t number) { return "extras-" + std::to_string(number); }

ExtrasContent ParseExtras(std::string_view bytes) {
  ExtrasContent out;
  std::size_t at = kFileHeaderSize;
  out.end = at;
  bool lost = false;  // looking for the next record behind damage
  while (at + kRecordHeadBytes <= bytes.size()) {
    const char* p = bytes.data() + at;
    const auto size = LoadLe<std::uint32_t>(p + 4);
    if (size != 0 && size <= bytes.size() - at - kRecordHeadBytes && LoadLe<std::uint32_t>(p) == Crc32c(p + 4, std::size_t{size} + 4)) {
      if (!ParseBody(bytes.substr(at + kRecordHeadBytes, size), &out)) ++out.damaged;
      if (lost) ++out.damaged;
      lost = false;
      at += kRecordHeadBytes + size;
      out.end = at;
      continue;
    }
    lost = true;
    ++at;
  }
  return out;
}

void HeadExtras::Load(std::uint32_t number, std::shared_ptr<File> file, ExtrasContent content) {
  number_ = number;
  file_ = std::move(file);
  bytes_ = content.end;
  records_ = content.exemplars.size() + content.metadata.size();
  metadata_ = std::move(content.metadata);
  for (SeriesExemplar& e : content.exemplars) {
    newest_[e.series] = e.exemplar;
    ring_.push_back(std::move(e));
    if (ring_.size() > max_exemplars_) ring_.pop_front();
  }
}

HeadExtras::Outcome HeadExtras::AddExemplar(std::uint32_t series, const Exemplar& e) {
  if (max_exemplars_ == 0) return Outcome::kRepeated;
  const auto newest = newest_.find(series);
  if (newest != newest_.end()) {
    if (SameExemplar(newest->second, e)) return Outcome::kRepeated;
    if (e.t_ms < newest->second.t_ms) return Outcome::kOutOfOrder;
  }
  newest_[series] = e;
  ring_.push_back({series, e});
  if (ring_.size() > max_exemplars_) DropOldest();
  AppendExemplar(ring_.back(), &pending_);
  ++records_;
  return Outcome::kAdded;
}

void HeadExtras::DropOldest() {
  // Forget the newest of a series once that has left the ring too.
  const SeriesExemplar& gone = ring_.front();
  const auto it = newest_.find(gone.series);
  if (it != newest_.end() && SameExemplar(it->second, gone.exemplar)) newest_.erase(it);
  ring_.pop_front();
}

void HeadExtras::SetMaxExemplars(std::size_t n) {
  max_exemplars_ = n;
  while (ring_.size() > n) DropOldest();
}

void HeadExtras::SetMetadata(std::string_view metric, const Metadata& m) {
  const auto it = metadata_.find(metric);
  if (it != metadata_.end() && it->second == m) return;
  metadata_[std::string(metric)] = m;
  AppendMetadata(metric, m, &pending_);
  ++records_;
}

Result<void> HeadExtras::Write(Io& io, const std::string& dir) {
  if (pending_.empty()) return {};
  const std::size_t live = ring_.size() + metadata_.size();
  if (file_ == nullptr || records_ > 2 * live + 4096) {
    std::string all = FileHeader(kExtrasMagic);
    for (const auto& [metric, m] : metadata_) AppendMetadata(metric, m, &all);
    for (const SeriesExemplar& e : ring_) AppendExemplar(e, &all);
    PROM_ASSIGN(auto file, io.Open(JoinPath(dir, ExtrasName(number_ + 1)), Io::Mode::kTruncate));
    PROM_TRY(file->WriteAt(0, all));
    if (file_ != nullptr) old_.push_back(number_);
    ++number_;
    file_ = std::move(file);
    bytes_ = all.size();
    records_ = live;
    new_file_ = true;
  } else {
    PROM_TRY(file_->WriteAt(bytes_, pending_));
    bytes_ += pending_.size();
  }
  pending_.clear();
  dirty_ = true;
  return {};
}

void HeadExtras::RemoveOld(Io& io, const std::string& dir) {
  // One that cannot be removed now is wiped with the epoch.
  for (const std::uint32_t n : old_) (void)io.Remove(JoinPath(dir, ExtrasName(n)));
  old_.clear();
}

}  // namespace prom::store
