#include "base/run_dir.h"

#include <csignal>
#include <cerrno>
#include <unistd.h>

#include "base/json.h"
#include "base/number.h"

namespace prom {

Result<void> RunDir::Create() { return MakeDirs(io_, dir_); }

Result<void> RunDir::Publish(std::string_view file, std::string_view bytes) {
  // Not synced: after a crash of the machine these files mean nothing.
  return WriteFileAtomic(io_, JoinPath(dir_, file), bytes, false);
}

Result<void> RunDir::PublishMetrics(std::string_view tool, std::string_view text) { return Publish(std::string(tool) + ".prom", text); }

Result<void> RunDir::PublishState(const ToolState& s) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Field("format", "promkit-run").Field("format_version", 1);
  json.Field("tool", s.tool).Field("pid", s.pid).Field("start_ms", s.start_ms).Field("version", s.version);
  json.Field("listen_address", s.listen_address).Field("ready", s.ready);
  json.Key("flags").BeginObject();
  for (const auto& [name, value] : s.flags) json.Field(name, value);
  json.EndObject();
  json.Field("config_file", s.config_file).Field("config_yaml", s.config_yaml);
  json.Key("reload").BeginObject();
  json.Field("ok", s.reload_ok).Field("time_ms", s.reload_ms).Field("count", s.reload_count).Field("error", s.reload_error);
  json.EndObject().EndObject();
  out.push_back('\n');
  return Publish(s.tool + ".json", out);
}

Result<void> RunDir::Remove(std::string_view file) { return io_.Remove(JoinPath(dir_, file)); }

Result<std::string> RunDir::Read(std::string_view file) const { return ReadFile(io_, JoinPath(dir_, file)); }

Result<ToolState> RunDir::ReadState(std::string_view tool) const {
  const std::string name = std::string(tool) + ".json";
  PROM_ASSIGN(const std::string text, Read(name));
  auto parsed = ParseJson(text);
  if (!parsed) return parsed.error().Wrap(JoinPath(dir_, name) + ": ");
  const JsonValue& v = *parsed;
  if (v.StringOr("format", "") != "promkit-run") return Error{Errc::kCorrupt, JoinPath(dir_, name) + ": not a state file of a promkit program"};
  if (v.NumberOr("format_version", 0) != 1)
    return Error{Errc::kUnsupported, JoinPath(dir_, name) + ": a newer format version than this program reads (1)"};
  ToolState s;
  s.tool = v.StringOr("tool", "");
  s.pid = static_cast<std::int64_t>(v.NumberOr("pid", 0));
  s.start_ms = static_cast<std::int64_t>(v.NumberOr("start_ms", 0));
  s.version = v.StringOr("version", "");
  s.listen_address = v.StringOr("listen_address", "");
  s.config_file = v.StringOr("config_file", "");
  s.config_yaml = v.StringOr("config_yaml", "");
  if (const JsonValue* ready = v.Find("ready")) s.ready = ready->boolean;
  if (const JsonValue* flags = v.Find("flags"))
    for (const auto& [key, value] : flags->members) s.flags[key] = value.text;
  if (const JsonValue* reload = v.Find("reload")) {
    if (const JsonValue* ok = reload->Find("ok")) s.reload_ok = ok->boolean;
    s.reload_ms = static_cast<std::int64_t>(reload->NumberOr("time_ms", 0));
    s.reload_count = static_cast<std::uint64_t>(reload->NumberOr("count", 0));
    s.reload_error = reload->StringOr("error", "");
  }
  return s;
}

std::vector<ToolState> RunDir::ReadStates() const {
  std::vector<ToolState> out;
  auto entries = io_.List(dir_);
  if (!entries) return out;
  for (const DirEntry& e : *entries) {
    if (e.is_dir || !e.name.ends_with(".json")) continue;
    if (auto state = ReadState(e.name.substr(0, e.name.size() - 5))) out.push_back(std::move(*state));
  }
  return out;
}

bool RunDir::IsAlive(const ToolState& state) {
  if (state.pid <= 0 || (::kill(static_cast<pid_t>(state.pid), 0) != 0 && errno != EPERM)) return false;
  // A recycled pid has another name. comm is cut at 15 bytes.
  auto comm = ReadFile(SystemIo(), "/proc/" + std::to_string(state.pid) + "/comm");
  if (!comm) return false;
  if (!comm->empty() && comm->back() == '\n') comm->pop_back();
  return *comm == state.tool.substr(0, 15);
}

}  // namespace prom
