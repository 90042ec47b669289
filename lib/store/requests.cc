#include "store/requests.h"

#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "base/json.h"
#include "base/number.h"
#include "base/ulid.h"
#include "base/unix_socket.h"
#include "store/tombstones.h"

namespace prom::store {
namespace {

std::string ErrorAnswer(const Error& e) {
  std::string out;
  JsonWriter(&out).BeginObject().Field("error", e.message).Field("code", static_cast<int>(e.code)).EndObject();
  return out;
}

Error Bad(std::string_view what) { return {Errc::kInvalid, "request: " + std::string(what)}; }

Result<std::int64_t> IntOf(const JsonValue& object, std::string_view key) {
  const JsonValue* v = object.Find(key);
  const auto n = v != nullptr && v->kind == JsonValue::Kind::kNumber ? ParseInt64(v->text) : std::nullopt;
  if (!n) return Bad("no number \"" + std::string(key) + "\"");
  return *n;
}

Result<std::vector<std::string>> UlidsOf(const JsonValue& object, std::string_view key) {
  const JsonValue* v = object.Find(key);
  if (v == nullptr || v->kind != JsonValue::Kind::kArray) return Bad("no list \"" + std::string(key) + "\"");
  std::vector<std::string> out;
  for (const JsonValue& item : v->items) {
    if (!IsUlid(item.text)) return Bad("not the name of a block: " + item.text);
    out.push_back(item.text);
  }
  return out;
}

Result<std::string> Answer(Writer& writer, const JsonValue& request) {
  const std::string_view what = request.StringOr("do", "");
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  if (what == "delete") {
    std::vector<Matchers> any_of;
    const JsonValue* lists = request.Find("matchers");
    if (lists == nullptr || lists->items.empty()) return Bad("no matchers");
    for (const JsonValue& list : lists->items) {
      PROM_ASSIGN(auto matchers, ParseMatchersJson(list));
      any_of.push_back(std::move(matchers));
    }
    PROM_ASSIGN(const auto min_ms, IntOf(request, "min"));
    PROM_ASSIGN(const auto max_ms, IntOf(request, "max"));
    PROM_ASSIGN(const std::uint64_t id, writer.Delete(any_of, min_ms, max_ms));
    json.Field("id", id);
  } else if (what == "undelete") {
    PROM_ASSIGN(const auto id, IntOf(request, "id"));
    PROM_TRY(writer.Undelete(static_cast<std::uint64_t>(id)));
  } else if (what == "set_tombstones_aside") {
    PROM_TRY(writer.SetTombstonesAside(std::string(request.StringOr("file", ""))));
  } else if (what == "replace_blocks") {
    BlockSwap swap;
    PROM_ASSIGN(swap.remove, UlidsOf(request, "remove"));
    PROM_ASSIGN(swap.add, UlidsOf(request, "add"));
    swap.staging = request.StringOr("staging", "");
    swap.tombstones = request.StringOr("tombstones", "");
    const JsonValue* keep = request.Find("keep");
    swap.keep_removed = keep != nullptr && keep->boolean;
    PROM_TRY(writer.ReplaceBlocks(swap));
    json.Field("retention_ms", writer.retention_ms());
  } else if (what == "flush") {
    PROM_TRY(writer.Flush());
  } else if (what == "compact") {
    const auto count = [&](const char* blocks, const char* bytes) {
      std::uint64_t total = 0;
      const Manifest m = writer.manifest();
      for (const ManifestBlock& b : m.blocks) total += b.bytes;
      json.Field(blocks, std::uint64_t{m.blocks.size()}).Field(bytes, total);
    };
    PROM_TRY(writer.Flush());
    count("blocks_before", "bytes_before");
    PROM_TRY(writer.CompactBlocksNow());
    count("blocks_after", "bytes_after");
  } else {
    return Error{Errc::kUnsupported, "request: this writer does not know how to do \"" + std::string(what) + "\""};
  }
  json.EndObject();
  return out;
}

}  // namespace

std::string HandleRequest(Writer& writer, std::string_view text) {
  const auto request = ParseJson(text);
  if (!request) return ErrorAnswer(Bad(request.error().message));
  auto answer = Answer(writer, *request);
  return answer ? std::move(*answer) : ErrorAnswer(answer.error());
}

Result<std::unique_ptr<WriterAccess>> WriterAccess::Open(Io& io, Clock& clock, const std::string& data_dir, Options options) {
  auto self = std::unique_ptr<WriterAccess>(new WriterAccess());
  self->socket_path_ = JoinPath(data_dir, "control.sock");
  options.writer.background = false;
  const std::int64_t until_ns = clock.MonotonicNs() + options.wait_for_writer_ms * 1'000'000;
  while (true) {
    auto writer = Writer::Open(io, clock, data_dir, options.writer);
    if (writer) {
      self->writer_ = std::move(*writer);
      return self;
    }
    if (writer.error().code != Errc::kUnavailable) return std::move(writer.error());
    if (const auto fd = ConnectUnix(self->socket_path_)) {
      ::close(*fd);
      return self;
    }
    if (clock.MonotonicNs() >= until_ns) return Error{Errc::kUnavailable, writer.error().message + ", which takes no requests; try again when it has ended"};
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

WriterAccess::~WriterAccess() { (void)Close(); }

Result<void> WriterAccess::Close() {
  if (writer_ == nullptr) return {};
  return writer_->Close();
}

Result<std::string> WriterAccess::Ask(const std::string& request) {
  if (writer_ != nullptr) return HandleRequest(*writer_, request);
  const auto connected = ConnectUnix(socket_path_);
  if (!connected) return Error{Errc::kUnavailable, socket_path_ + ": the writer has gone away; try again"};
  const int fd = *connected;
  const std::string line = request + "\n";
  std::string answer;
  int error = 0;
  for (std::size_t sent = 0; sent < line.size() && error == 0;) {
    const ssize_t n = ::send(fd, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) error = errno;
    if (n > 0) sent += static_cast<std::size_t>(n);
  }
  while (error == 0 && answer.find('\n') == std::string::npos) {
    char bytes[4096];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n < 0 && errno != EINTR) error = errno;
    if (n == 0) break;
    if (n > 0) answer.append(bytes, static_cast<std::size_t>(n));
  }
  ::close(fd);
  if (error != 0) return ErrnoError("ask", socket_path_, error);
  if (answer.empty()) return Error{Errc::kIo, socket_path_ + ": the writer ended without an answer; what was asked may or may not have been done"};
  return answer;
}

namespace {

Result<JsonValue> Understood(Result<std::string> answer) {
  if (!answer) return std::move(answer.error());
  PROM_ASSIGN(JsonValue json, ParseJson(*answer));
  const JsonValue* error = json.Find("error");
  if (error == nullptr) return json;
  const double code = json.NumberOr("code", static_cast<double>(Errc::kInternal));
  return Error{code >= 0 && code <= static_cast<double>(Errc::kInternal) ? static_cast<Errc>(static_cast<int>(code)) : Errc::kInternal, error->text};
}

std::uint64_t Uint(const JsonValue& json, std::string_view key) {
  const JsonValue* v = json.Find(key);
  return v == nullptr ? 0 : ParseUint64(v->text).value_or(0);
}

}  // namespace

Result<void> WriterAccess::ReplaceBlocks(const BlockSwap& swap, std::int64_t* retention_ms) {
  std::string request;
  JsonWriter json(&request);
  json.BeginObject().Field("do", "replace_blocks").Field("staging", swap.staging).Field("tombstones", swap.tombstones).Field("keep", swap.keep_removed);
  for (const auto& [key, list] : {std::pair("remove", &swap.remove), std::pair("add", &swap.add)}) {
    json.Key(key).BeginArray();
    for (const std::string& ulid : *list) json.String(ulid);
    json.EndArray();
  }
  json.EndObject();
  PROM_ASSIGN(const JsonValue answer, Understood(Ask(request)));
  if (retention_ms != nullptr) *retention_ms = static_cast<std::int64_t>(Uint(answer, "retention_ms"));
  return {};
}

Result<std::uint64_t> WriterAccess::Delete(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) {
  std::string request;
  JsonWriter json(&request);
  json.BeginObject().Field("do", "delete").Field("min", min_ms).Field("max", max_ms).Key("matchers").BeginArray();
  for (const Matchers& matchers : any_of) AppendMatchersJson(&json, matchers);
  json.EndArray().EndObject();
  PROM_ASSIGN(const JsonValue answer, Understood(Ask(request)));
  return Uint(answer, "id");
}

Result<void> WriterAccess::Undelete(std::uint64_t id) {
  std::string request;
  JsonWriter(&request).BeginObject().Field("do", "undelete").Field("id", id).EndObject();
  auto answer = Understood(Ask(request));
  if (!answer) return std::move(answer.error());
  return {};
}

Result<void> WriterAccess::SetTombstonesAside(const std::string& file) {
  std::string request;
  JsonWriter(&request).BeginObject().Field("do", "set_tombstones_aside").Field("file", file).EndObject();
  auto answer = Understood(Ask(request));
  if (!answer) return std::move(answer.error());
  return {};
}

Result<void> WriterAccess::Flush() {
  auto answer = Understood(Ask(R"({"do":"flush"})"));
  if (!answer) return std::move(answer.error());
  return {};
}

Result<CompactSummary> WriterAccess::Compact() {
  PROM_ASSIGN(const JsonValue answer, Understood(Ask(R"({"do":"compact"})")));
  return CompactSummary{Uint(answer, "blocks_before"), Uint(answer, "blocks_after"), Uint(answer, "bytes_before"), Uint(answer, "bytes_after")};
}

}  // namespace prom::store
