#include "discovery/sd_configs.h"

#include <algorithm>

#include "base/number.h"
#include "base/strings.h"
#include "base/time.h"
#include "discovery/sd_kinds.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

namespace prom::discovery {

namespace {

Result<void> Decode(const yaml::Node& node, SdConfig::Filter* out) {
  yaml::Mapping m(node, "struct { Name string; Values []string }");
  m.Field("name", &out->name);
  m.Field("values", &out->values);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, SdConfig::Selector* out) {
  yaml::Mapping m(node, "kubernetes.SelectorConfig");
  if (const yaml::Node* role = m.Take("role")) {
    m.Keep(yaml::Decode(*role, &out->role));
    static constexpr std::string_view kRoles[] = {"node", "pod", "service", "endpoints", "endpointslice", "ingress"};
    if (!role->is_null() && std::find(std::begin(kRoles), std::end(kRoles), out->role) == std::end(kRoles))
      m.Keep(role->At("unknown Kubernetes SD role " + Quote(out->role)));
  }
  m.Field("label", &out->label);
  m.Field("field", &out->field);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, SdConfig::Namespaces* out) {
  yaml::Mapping m(node, "kubernetes.plain");
  m.Field("own_namespace", &out->own_namespace);
  m.Field("names", &out->names);
  return m.Finish();
}

Result<void> Decode(const yaml::Node& node, SdConfig::AttachMetadata* out) {
  yaml::Mapping m(node, "kubernetes.AttachMetadataConfig");
  m.Field("node", &out->node);
  m.Field("namespace", &out->namespace_);
  m.Field("deployment", &out->deployment);
  m.Field("job", &out->job);
  m.Field("cronjob", &out->cronjob);
  return m.Finish();
}

SdConfig::Value DefaultValue(const SdField& field) {
  switch (field.type) {
    case SdType::kText:
    case SdType::kFile: return std::string(field.fallback);
    case SdType::kSecret: return Secret();
    case SdType::kInt: return field.fallback.empty() ? std::int64_t{0} : ParseInt64(field.fallback).value_or(0);
    case SdType::kBool: return field.fallback == "true";
    case SdType::kDuration: {
      SdConfig::Duration d;
      if (!field.fallback.empty()) d.ms = *ParseDuration(field.fallback);
      return d;
    }
    case SdType::kTexts: return std::vector<std::string>();
    case SdType::kMap: return std::map<std::string, std::string>();
    case SdType::kUrl: return Url();
    case SdType::kFilters: return std::vector<SdConfig::Filter>();
    case SdType::kSelectors: return std::vector<SdConfig::Selector>();
    case SdType::kNamespaces: return SdConfig::Namespaces();
    case SdType::kAttachMetadata: return SdConfig::AttachMetadata();
    case SdType::kTls: return TlsConfig();
  }
  return std::string();
}

Result<void> DecodeInto(const yaml::Node& node, SdConfig::Value* value) {
  return std::visit(
      [&](auto& typed) -> Result<void> {
        using T = std::decay_t<decltype(typed)>;
        if constexpr (std::is_same_v<T, SdConfig::Duration>) {
          return yaml::Decode(node, yaml::DurationMs{&typed.ms});
        } else if constexpr (std::is_same_v<T, std::vector<SdConfig::Filter>> || std::is_same_v<T, std::vector<SdConfig::Selector>>) {
          typed.clear();
          if (node.is_null()) return {};
          if (!node.is_sequence()) return node.TypeError("list");
          for (const yaml::Node& item : node.items()) {
            typename T::value_type element;
            PROM_TRY(Decode(item, &element));
            typed.push_back(std::move(element));
          }
          return {};
        } else {
          return Decode(node, &typed);
        }
      },
      *value);
}

Result<SdConfig> DecodeKind(const yaml::Node& node, const SdKind& kind) {
  SdConfig config;
  config.kind = kind.name;
  config.where = node.Where();
  yaml::Mapping m(node, kind.type_name);
  for (const SdField& field : kind.fields) {
    SdConfig::Value value = DefaultValue(field);
    if (const yaml::Node* given = m.Take(field.key)) {
      m.Keep(DecodeInto(*given, &value));
      if (!field.allowed.empty() && given->is_scalar()) {
        const std::string& role = std::get<std::string>(value);
        bool known = false;
        for (const std::string_view one : Split(field.allowed, ' ')) known |= one == role;
        if (!known) m.Keep(given->At(std::string(field.unknown) + " " + Quote(role)));
      }
    }
    config.values.emplace_back(field.key, std::move(value));
  }
  BearerToken bearer;
  if (kind.http) {
    config.http.emplace();
    TakeHttpClientFields(&m, &*config.http, &bearer);
  }
  PROM_TRY(m.Finish());
  const auto run = [&](SdCheck check) -> Result<void> {
    if (check == nullptr) return {};
    if (const auto problem = check(config, bearer)) return m.At(problem->key, problem->message);
    return {};
  };
  PROM_TRY(run(kind.before_http));
  if (kind.http) PROM_TRY(FinishHttpClient(m, &*config.http, bearer));
  PROM_TRY(run(kind.after_http));
  return config;
}

// Empty values are left out, unless that would read back as a default that is not empty.
void WriteValue(yaml::Writer* out, const SdField& field, const SdConfig::Value& value) {
  const std::string_view key = field.key;
  std::visit(
      [&](const auto& typed) {
        using T = std::decay_t<decltype(typed)>;
        if constexpr (std::is_same_v<T, std::string>) {
          if (!typed.empty() || !field.fallback.empty()) out->Field(key, typed);
        } else if constexpr (std::is_same_v<T, Secret>) {
          out->Opt(key, typed);
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          out->Key(key).Int(typed);
        } else if constexpr (std::is_same_v<T, bool>) {
          out->Key(key).Bool(typed);
        } else if constexpr (std::is_same_v<T, SdConfig::Duration>) {
          if (typed.ms != 0 || !field.fallback.empty()) out->Duration(key, typed.ms);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          out->OptStrings(key, typed);
        } else if constexpr (std::is_same_v<T, Url>) {
          out->Opt(key, typed.Redacted());
        } else if constexpr (std::is_same_v<T, TlsConfig>) {
          if (typed == TlsConfig()) return;
          out->Key(key);
          Write(out, typed);
        } else if constexpr (std::is_same_v<T, std::map<std::string, std::string>>) {
          if (typed.empty()) return;
          out->Key(key).BeginMap();
          for (const auto& [name, text] : typed) out->Field(name, text);
          out->EndMap();
        } else if constexpr (std::is_same_v<T, std::vector<SdConfig::Filter>>) {
          if (typed.empty()) return;
          out->Key(key).BeginList();
          for (const auto& filter : typed) out->BeginMap().Field("name", filter.name).Strings("values", filter.values).EndMap();
          out->EndList();
        } else if constexpr (std::is_same_v<T, std::vector<SdConfig::Selector>>) {
          if (typed.empty()) return;
          out->Key(key).BeginList();
          for (const auto& s : typed) out->BeginMap().Opt("role", s.role).Opt("label", s.label).Opt("field", s.field).EndMap();
          out->EndList();
        } else if constexpr (std::is_same_v<T, SdConfig::Namespaces>) {
          if (typed == T()) return;
          out->Key(key).BeginMap().Key("own_namespace").Bool(typed.own_namespace).Strings("names", typed.names).EndMap();
        } else if constexpr (std::is_same_v<T, SdConfig::AttachMetadata>) {
          if (typed == T()) return;
          out->Key(key).BeginMap();
          out->Key("node").Bool(typed.node).Key("namespace").Bool(typed.namespace_).Key("deployment").Bool(typed.deployment);
          out->Key("job").Bool(typed.job).Key("cronjob").Bool(typed.cronjob).EndMap();
        }
      },
      value);
}

}  // namespace

const SdConfig::Value* SdConfig::Find(std::string_view key) const {
  for (const auto& [name, value] : values)
    if (name == key) return &value;
  return nullptr;
}
SdConfig::Value* SdConfig::Find(std::string_view key) { return const_cast<Value*>(std::as_const(*this).Find(key)); }

void TakeSdFields(yaml::Mapping* m, SdConfigs* out) {
  for (const SdKind& kind : SdKinds()) {
    const std::string key = std::string(kind.name) + "_sd_configs";
    const yaml::Node* list = m->Take(key);
    if (list == nullptr || list->is_null()) continue;
    if (!list->is_sequence()) {
      m->Keep(list->TypeError("[]*" + std::string(kind.type_name.substr(0, kind.type_name.find('.'))) + ".SDConfig"));
      return;
    }
    for (const yaml::Node& item : list->items()) {
      if (item.is_null()) {
        m->Keep(item.At("empty or null section in " + key));
        return;
      }
      auto config = DecodeKind(item, kind);
      if (!config) {
        m->Keep(std::move(config.error()));
        return;
      }
      out->unsupported.push_back(std::move(*config));
    }
  }
  m->List("file_sd_configs", &out->file, "empty or null section in file_sd_configs", "[]*file.SDConfig");
  m->List("static_configs", &out->static_configs, "empty or null section in static_configs", "[]*targetgroup.Group");
  for (std::size_t i = 0; i < out->static_configs.size(); ++i) out->static_configs[i].source = std::to_string(i);
}

void WriteFields(yaml::Writer* out, const SdConfigs& configs) {
  for (const SdKind& kind : SdKinds()) {
    bool open = false;
    for (const SdConfig& config : configs.unsupported) {
      if (config.kind != kind.name) continue;
      if (!open) out->Key(std::string(kind.name) + "_sd_configs").BeginList();
      open = true;
      out->BeginMap();
      for (const SdField& field : kind.fields) {
        // These two became basic_auth when the section was read, and reading both back is an error.
        if (config.kind == "consul" && (field.key == "username" || field.key == "password")) continue;
        WriteValue(out, field, *config.Find(field.key));
      }
      if (config.http) WriteFields(out, *config.http);
      out->EndMap();
    }
    if (open) out->EndList();
  }
  if (!configs.file.empty()) {
    out->Key("file_sd_configs").BeginList();
    for (const auto& config : configs.file) Write(out, config);
    out->EndList();
  }
  if (!configs.static_configs.empty()) {
    out->Key("static_configs").BeginList();
    for (const auto& group : configs.static_configs) Write(out, group);
    out->EndList();
  }
}

void SetDirectory(const std::string& dir, SdConfigs* configs) {
  for (auto& file_sd : configs->file)
    for (auto& file : file_sd.files) JoinDir(dir, &file);
  for (SdConfig& config : configs->unsupported) {
    for (const SdKind& kind : SdKinds()) {
      if (kind.name != config.kind) continue;
      for (const SdField& field : kind.fields) {
        if (field.type == SdType::kFile) JoinDir(dir, &std::get<std::string>(*config.Find(field.key)));
        if (field.type == SdType::kTls) SetDirectory(dir, &std::get<TlsConfig>(*config.Find(field.key)));
      }
    }
    if (config.http) SetDirectory(dir, &*config.http);
  }
}

Result<void> CheckStaticTargets(const SdConfigs& configs) {
  for (const auto& group : configs.static_configs)
    for (const Labels& target : group.targets) {
      const std::string_view address = target.Get("__address__");
      if (address.find('/') != std::string_view::npos) return Error{Errc::kInvalid, Quote(address) + " is not a valid hostname"};
    }
  return {};
}

}  // namespace prom::discovery
