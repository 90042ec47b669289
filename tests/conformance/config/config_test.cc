// Every file of upstream's config/testdata: the good ones load, each bad one fails
// with the text that upstream's test demands.
//
// Upstream puts "parsing YAML file NAME: " in front of its texts and we put
// "NAME:LINE:COLUMN: "; for the four cases whose expected text includes that prefix
// the rest is compared, and that our prefix names the file.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <set>

#include "../../testing.h"
#include "config/config.h"
#include "yaml/yaml.h"

using namespace prom;

namespace {

std::string Dir() { return std::filesystem::path(testing::ConformanceDir() + "/config/").lexically_normal(); }

std::vector<std::pair<std::string, std::string>> BadFiles() {
  auto doc = yaml::Document::Load(Dir() + "expected_errors.yaml");
  BOOST_TEST_REQUIRE(bool(doc));
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& item : doc->root().entries()[0].second.items()) {
    std::string file, error;
    for (const auto& [key, value] : item.entries()) (key.text() == "file" ? file : error) = value.text();
    out.emplace_back(file, error);
  }
  return out;
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void CheckFails(const std::string& file, const std::string& want, bool agent = false) {
  BOOST_TEST_CONTEXT("file=" << file) {
    config::LoadOptions options;
    options.agent_mode = agent;
    auto config = config::LoadConfig(Dir() + file, options);
    BOOST_TEST_REQUIRE(!config);
    BOOST_TEST(int(config.error().code) == int(Errc::kInvalid));
    BOOST_TEST(Contains(config.error().message, want), config.error().message << " lacks " << want);
  }
}

config::Config MustLoad(const std::string& file) {
  auto config = config::LoadConfig(Dir() + file);
  BOOST_TEST_REQUIRE(bool(config), file << ": " << (config ? "" : config.error().message));
  return std::move(*config);
}

}  // namespace

BOOST_AUTO_TEST_CASE(bad_files) {
  const auto bad = BadFiles();
  BOOST_TEST(bad.size() == 136u);
  for (auto [file, want] : bad) {
    const std::string wrapper = "parsing YAML file testdata/" + file + ": ";
    if (want.starts_with(wrapper)) want.erase(0, wrapper.size());
    CheckFails(file, want);
    auto config = config::LoadConfig(Dir() + file);
    if (config) continue;
    // file:line:column: text
    const std::string& message = config.error().message;
    BOOST_TEST_CONTEXT("message=" << message) {
      const std::string prefix = Dir() + file + ":";
      BOOST_TEST_REQUIRE(message.starts_with(prefix));
      std::size_t end = 0;
      BOOST_TEST(std::stoi(message.substr(prefix.size()), &end) > 0);
      BOOST_TEST(message[prefix.size() + end] == ':');
      BOOST_TEST(std::stoi(message.substr(prefix.size() + end + 1)) > 0);
    }
  }
}

// Everything that is neither expected to fail above nor below.
BOOST_AUTO_TEST_CASE(good_files) {
  std::set<std::string> bad;
  for (const auto& [file, want] : BadFiles()) bad.insert(file);
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Dir())) {
    const std::string name = entry.path().filename();
    const bool good = name.ends_with(".good.yml") || (name.ends_with(".yml") && !name.ends_with(".bad.yml") && !bad.contains(name) &&
                                                     !name.ends_with(".incompatible.yml") && name != "config_with_deprecated_am_api_config.yml");
    if (!good) continue;
    ++count;
    BOOST_TEST_CONTEXT("file=" << name) {
      auto config = config::LoadConfig(entry.path());
      BOOST_TEST(bool(config), (config ? "" : config.error().message));
    }
  }
  BOOST_TEST(count > 60u);
}

BOOST_AUTO_TEST_CASE(examples_load) {
  for (const auto& entry : std::filesystem::directory_iterator(testing::ConformanceDir() + "/examples")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("prometheus")) continue;
    BOOST_TEST_CONTEXT("file=" << name) {
      auto config = config::LoadConfig(entry.path());
      BOOST_TEST(bool(config), (config ? "" : config.error().message));
    }
  }
}

// The cases of config_test.go outside its table.
BOOST_AUTO_TEST_CASE(further_bad_files) {
  CheckFails("config_with_deprecated_am_api_config.yml", "expected Alertmanager api version to be one of [v2] but got v1");
  CheckFails("otlp_sanitize_promote_resource_attributes.bad.yml", "invalid 'promote_resource_attributes'");
  CheckFails("otlp_sanitize_promote_resource_attributes.bad.yml", "duplicated promoted OTel resource attribute \"k8s.job.name\"");
  CheckFails("otlp_sanitize_promote_resource_attributes.bad.yml", "empty promoted OTel resource attribute");
  CheckFails("otlp_sanitize_ignore_resource_attributes.bad.yml", "duplicated ignored OTel resource attribute \"k8s.job.name\"");
  CheckFails("otlp_promote_all_resource_attributes.bad.yml",
             "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously");
  CheckFails("otlp_ignore_resource_attributes_without_promote_all.bad.yml",
             "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true");
  CheckFails("otlp_allow_utf8.incompatible.yml", "OTLP translation strategy \"NoUTF8EscapingWithSuffixes\" is not allowed when UTF8 is disabled");
  CheckFails("otlp_no_translation.incompatible.yml", "OTLP translation strategy \"NoTranslation\" is not allowed when UTF8 is disabled");
  CheckFails("otlp_allow_utf8.bad.yml", "unsupported OTLP translation strategy \"Invalid\"");
  CheckFails("agent_mode.with_alert_manager.yml", "field alerting is not allowed in agent mode", true);
  CheckFails("agent_mode.with_alert_relabels.yml", "field alerting is not allowed in agent mode", true);
  CheckFails("agent_mode.with_rule_files.yml", "field rule_files is not allowed in agent mode", true);
  CheckFails("agent_mode.with_remote_reads.yml", "field remote_read is not allowed in agent mode", true);
  CheckFails("scrape_config_files_double_import.bad.yml", "found multiple scrape configs with job name \"prometheus\"");
  CheckFails("scrape_config_files_duplicate.bad.yml", "found multiple scrape configs with job name \"prometheus\", first found in main config file");
  CheckFails("scrape_config_files_global.bad.yml", "scrape timeout greater than scrape interval for scrape config with job name \"prometheus\"");
  CheckFails("scrape_config_files_global_duplicate.bad.yml", "found multiple scrape configs with job name \"prometheus\"");
}

BOOST_AUTO_TEST_CASE(bad_static_config) {
  auto doc = yaml::Document::Load(Dir() + "static_config.bad.yml");
  BOOST_TEST_REQUIRE(bool(doc));
  discovery::TargetGroup group;
  auto done = discovery::Decode(doc->root(), &group);
  BOOST_TEST_REQUIRE(!done);
  BOOST_TEST(Contains(done.error().message, "\"\\xff\" is not a valid label name"));
}

// Values of expectedConf in config_test.go.
BOOST_AUTO_TEST_CASE(conf_good) {
  const auto c = MustLoad("conf.good.yml");
  BOOST_TEST(c.global.scrape_interval_ms == 15'000);
  BOOST_TEST(c.global.scrape_timeout_ms == 10'000);
  BOOST_TEST(c.global.evaluation_interval_ms == 30'000);
  BOOST_TEST(c.global.query_log_file == Dir() + "query.log");
  BOOST_TEST(c.global.external_labels.ToString() == R"({foo="bar", monitor="codelab"})");
  BOOST_TEST(c.global.body_size_limit_bytes == 15 << 20);
  BOOST_TEST(c.gogc.value_or(0) == 42);
  BOOST_TEST(c.rule_files == (std::vector<std::string>{Dir() + "first.rules", Dir() + "my/*.rules"}), boost::test_tools::per_element());

  BOOST_TEST_REQUIRE(c.remote_write.size() == 2u);
  BOOST_TEST(c.remote_write[0].name == "drop_expensive");
  BOOST_TEST(c.remote_write[0].http.oauth2->client_secret.value() == "456");
  BOOST_TEST(c.remote_write[0].http.oauth2->tls.cert_file == Dir() + "valid_cert_file");
  BOOST_TEST(!c.remote_write[0].http.enable_http2);
  BOOST_TEST(c.remote_write[0].write_relabel_rules.size() == 1u);
  BOOST_TEST(c.remote_write[1].protobuf_message == "io.prometheus.write.v2.Request");
  BOOST_TEST(c.remote_write[1].headers.at("name") == "value");
  BOOST_TEST_REQUIRE(c.remote_read.size() == 2u);
  BOOST_TEST(!c.remote_read[0].http.enable_http2);
  BOOST_TEST(c.remote_read[1].required_matchers.at("job") == "special");
  BOOST_TEST(c.otlp.promote_resource_attributes.size() == 3u);

  BOOST_TEST_REQUIRE(c.scrape_configs.size() > 3u);
  const auto& prometheus = c.scrape_configs[0];
  BOOST_TEST(prometheus.job_name == "prometheus");
  BOOST_TEST(prometheus.honor_labels);
  BOOST_TEST(prometheus.honor_timestamps);
  BOOST_TEST(prometheus.scrape_interval_ms == 15'000);
  BOOST_TEST(prometheus.sample_limit == 1500u);
  BOOST_TEST(bool(prometheus.fallback_scrape_protocol == config::ScrapeProtocol::kPrometheusText004));
  BOOST_TEST(prometheus.scrape_protocols.size() == 4u);
  BOOST_TEST(prometheus.scrape_failure_log_file == Dir() + "fail_prom.log");
  BOOST_TEST(prometheus.http.tls.min_version == "TLS10");
  BOOST_TEST(prometheus.http.authorization->type == "Bearer");
  BOOST_TEST(prometheus.http.authorization->credentials_file == Dir() + "valid_token_file");
  BOOST_TEST(prometheus.http.http_headers.at("foo").secrets.size() == 2u);
  BOOST_TEST_REQUIRE(prometheus.sd.file.size() == 2u);
  BOOST_TEST(prometheus.sd.file[0].refresh_interval_ms == 600'000);
  BOOST_TEST(prometheus.sd.file[0].files[2] == Dir() + "single/file.yml");
  BOOST_TEST(prometheus.sd.file[1].refresh_interval_ms == 300'000);
  BOOST_TEST_REQUIRE(prometheus.sd.static_configs.size() == 1u);
  BOOST_TEST(prometheus.sd.static_configs[0].source == "0");
  BOOST_TEST(prometheus.sd.static_configs[0].targets[1].Get("__address__") == "localhost:9191");
  BOOST_TEST(prometheus.sd.static_configs[0].labels.Get("your") == "label");
  BOOST_TEST_REQUIRE(prometheus.relabel_configs.size() == 6u);
  BOOST_TEST(*prometheus.relabel_configs[0].regex == "(.*)some-[regex]");
  BOOST_TEST(!prometheus.relabel_configs[1].regex.has_value());
  BOOST_TEST(*prometheus.relabel_configs[3].regex == "");  // `regex:` is the empty regex

  const auto& x = c.scrape_configs[1];
  BOOST_TEST(x.http.basic_auth->password.value() == "multiline\nmysecret\ntest");
  BOOST_TEST(x.scrape_timeout_ms == 5'000);
  BOOST_TEST(x.body_size_limit_bytes == 10 << 20);
  BOOST_TEST(x.metrics_path == "/my_path");
  BOOST_TEST(x.scheme == "https");
  BOOST_TEST_REQUIRE(x.sd.unsupported.size() == 2u);
  BOOST_TEST(x.sd.unsupported[0].kind == "dns");
  BOOST_TEST(x.sd.unsupported[0].Get<discovery::SdConfig::Duration>("refresh_interval").ms == 15'000);
  BOOST_TEST(x.sd.unsupported[1].Get<discovery::SdConfig::Duration>("refresh_interval").ms == 30'000);
  BOOST_TEST(x.sd.unsupported[1].Text("type") == "SRV");

  BOOST_TEST(c.storage.out_of_order_time_window_ms == 1'800'000);
  BOOST_TEST(c.storage.retention_time_ms == 86'400'000);
  BOOST_TEST(c.storage.retention_size_bytes == 1 << 30);
  BOOST_TEST(c.storage.retention_percentage == 28);
  BOOST_TEST_REQUIRE(c.tracing.has_value());
  BOOST_TEST(c.tracing->timeout_ms == 5'000);
  BOOST_TEST(c.alerting.alertmanagers.at(0).scheme == "https");
}

BOOST_AUTO_TEST_CASE(hetzner_scrapes_proto_first) {
  const auto c = MustLoad("conf.good.yml");
  const auto at = std::find_if(c.scrape_configs.begin(), c.scrape_configs.end(), [](const auto& s) { return s.job_name == "hetzner"; });
  BOOST_TEST_REQUIRE(bool(at != c.scrape_configs.end()));
  BOOST_TEST(at->scrape_protocols.size() == 5u);
  BOOST_TEST(bool(at->scrape_protocols[0] == config::ScrapeProtocol::kPrometheusProto));
}

// Upstream's TestElideSecrets: 29 masks for conf.good.yml, and no secret in clear text.
BOOST_AUTO_TEST_CASE(printed_config_hides_secrets) {
  const std::string text = config::PrintConfig(MustLoad("conf.good.yml"));
  std::size_t masks = 0;
  for (std::size_t at = 0; (at = text.find("<secret>", at)) != std::string::npos; ++at) ++masks;
  BOOST_TEST(masks == 29u);
  BOOST_TEST(!Contains(text, "mysecret"));
  BOOST_TEST(!Contains(text, "testAppSecret"));
}

// What is printed loads again, and prints the same.
BOOST_AUTO_TEST_CASE(printed_config_round_trips) {
  for (const auto& entry : std::filesystem::directory_iterator(Dir())) {
    const std::string name = entry.path().filename();
    // Printed after expansion, like upstream: a dollar that is left would be expanded again.
    if (!name.ends_with(".good.yml") || name == "external_labels.good.yml") continue;
    BOOST_TEST_CONTEXT("file=" << name) {
      auto config = config::LoadConfig(entry.path());
      BOOST_TEST_REQUIRE(bool(config));
      const std::string printed = config::PrintConfig(*config);
      auto again = config::ParseConfig(printed, "printed");
      BOOST_TEST_REQUIRE(bool(again), (again ? "" : again.error().message) << "\n" << printed);
      BOOST_TEST(config::PrintConfig(*again) == printed);
    }
  }
}

BOOST_AUTO_TEST_CASE(external_labels) {
  for (const std::string value : {"", "TestValue"}) {
    config::LoadOptions options;
    options.getenv = [&](const std::string& name) -> std::optional<std::string> {
      if (name == "TEST") return value;
      return std::nullopt;
    };
    auto c = config::LoadConfig(Dir() + "external_labels.good.yml", options);
    BOOST_TEST_REQUIRE(bool(c));
    const Labels& l = c->global.external_labels;
    BOOST_TEST(l.Get("bar") == "foo");
    BOOST_TEST(l.Get("baz") == "foo" + value + "bar");
    BOOST_TEST(l.Get("foo") == value);
    BOOST_TEST(l.Get("qux") == "foo${TEST}");
    BOOST_TEST(l.Get("xyz") == "foo$bar");
    BOOST_TEST(c->warnings.empty() == !value.empty());
  }
}

// TestGetScrapeConfigs: which jobs, in which order.
BOOST_AUTO_TEST_CASE(scrape_config_files) {
  const auto jobs = [](const config::Config& c) {
    std::string out;
    for (const auto* s : c.AllScrapeConfigs()) out += s->job_name + " ";
    return out;
  };
  BOOST_TEST(jobs(MustLoad("scrape_config_files.good.yml")) == "prometheus ");
  BOOST_TEST(jobs(MustLoad("scrape_config_files_only.good.yml")) == "prometheus ");
  BOOST_TEST(jobs(MustLoad("scrape_config_files_combined.good.yml")) == "node prometheus alertmanager ");
  BOOST_TEST(jobs(MustLoad("scrape_config_files_glob.good.yml")) == "prometheus node ");
  const auto globbed = MustLoad("scrape_config_files_glob.good.yml");
  BOOST_TEST_REQUIRE(globbed.extra_scrape_configs.size() == 2u);
  // Paths belong to the file that names them.
  BOOST_TEST(globbed.extra_scrape_configs[0].http.tls.cert_file == Dir() + "scrape_configs/valid_cert_file");
  BOOST_TEST(globbed.extra_scrape_configs[1].http.tls.cert_file == Dir() + "valid_cert_file");
  BOOST_TEST(globbed.extra_scrape_configs[1].sd.unsupported.at(0).kind == "vultr");
  BOOST_TEST(globbed.extra_scrape_configs[1].scrape_interval_ms == 15'000);
}

// TestGetScrapeConfigs: what global and local settings make of each other.
BOOST_AUTO_TEST_CASE(inherited_settings) {
  struct Row {
    const char* file;
    bool native, classic, nhcb, extra;
    std::size_t protocols;  // 4: default, 5: protobuf first, 1: PrometheusText0.0.4
  };
  const Row rows[] = {
      {"global_convert_classic_hist_to_nhcb", false, false, true, false, 4},
      {"local_disable_convert_classic_hist_to_nhcb", false, false, false, false, 4},
      {"local_convert_classic_hist_to_nhcb", false, false, true, false, 4},
      {"global_enable_always_scrape_classic_hist", false, true, false, false, 4},
      {"global_disable_always_scrape_classic_hist", false, false, false, false, 4},
      {"local_enable_always_scrape_classic_hist", false, true, false, false, 4},
      {"local_disable_always_scrape_classic_hist", false, false, false, false, 4},
      {"global_enable_scrape_native_hist", true, false, false, false, 5},
      {"global_enable_scrape_native_hist_and_scrape_protocols", true, false, false, false, 1},
      {"local_enable_scrape_native_hist", true, false, false, false, 5},
      {"local_enable_scrape_native_hist_and_scrape_protocols", true, false, false, false, 1},
      {"local_disable_scrape_native_hist", false, false, false, false, 4},
      {"global_scrape_protocols_and_local_disable_scrape_native_hist", false, false, false, false, 1},
      {"global_enable_extra_scrape_metrics", false, false, false, true, 4},
      {"global_disable_extra_scrape_metrics", false, false, false, false, 4},
      {"local_enable_extra_scrape_metrics", false, false, false, true, 4},
      {"local_disable_extra_scrape_metrics", false, false, false, false, 4},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT("file=" << row.file) {
      const auto c = MustLoad(std::string(row.file) + ".good.yml");
      const auto& s = c.scrape_configs.at(0);
      BOOST_TEST(*s.scrape_native_histograms == row.native);
      BOOST_TEST(*s.always_scrape_classic_histograms == row.classic);
      BOOST_TEST(*s.convert_classic_histograms_to_nhcb == row.nhcb);
      BOOST_TEST(*s.extra_scrape_metrics == row.extra);
      BOOST_TEST(s.scrape_protocols.size() == row.protocols);
      BOOST_TEST(s.scrape_interval_ms == 60'000);
      BOOST_TEST(s.scrape_timeout_ms == 10'000);
    }
  }
}

// TestScrapeConfigNameValidationSettings and ...EscapingSettings.
BOOST_AUTO_TEST_CASE(name_schemes) {
  using config::NameEscaping;
  using config::NameScheme;
  struct Row {
    const char* file;
    NameScheme scheme;
    NameEscaping escaping;
  };
  const Row rows[] = {
      {"scrape_config_default_validation_mode.yml", NameScheme::kUtf8, NameEscaping::kAllowUtf8},
      {"scrape_config_global_validation_mode.yml", NameScheme::kLegacy, NameEscaping::kDots},
      {"scrape_config_local_validation_mode.yml", NameScheme::kLegacy, NameEscaping::kValues},
      {"scrape_config_local_global_validation_mode.yml", NameScheme::kUtf8, NameEscaping::kDots},
      {"scrape_config_local_infer_escaping.yml", NameScheme::kLegacy, NameEscaping::kUnderscores},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT("file=" << row.file) {
      const auto c = MustLoad(row.file);
      BOOST_TEST(int(c.scrape_configs.at(0).name_scheme) == int(row.scheme));
      BOOST_TEST(int(c.scrape_configs.at(0).name_escaping) == int(row.escaping));
    }
  }
}

BOOST_AUTO_TEST_CASE(file_sd_fixtures) {
  const std::string dir = testing::ConformanceDir() + "/discovery-file/";
  for (const char* good : {"valid.json", "valid.yml", "valid3.yml"}) {
    BOOST_TEST_CONTEXT("file=" << good) {
      auto groups = discovery::ReadTargetFile(dir + good);
      BOOST_TEST_REQUIRE(bool(groups), (groups ? "" : groups.error().message));
      BOOST_TEST_REQUIRE(groups->size() == 2u);
      BOOST_TEST((*groups)[0].source == dir + good + ":0");
      BOOST_TEST((*groups)[0].targets.at(1).Get("__address__") == "example.org:443");
      BOOST_TEST((*groups)[0].labels.ToString() == "{__meta_filepath=\"" + dir + good + "\", foo=\"bar\"}");
      BOOST_TEST((*groups)[1].targets.at(0).Get("__address__") == "my.domain");
    }
  }
  BOOST_TEST(discovery::ReadTargetFile(dir + "valid2.yml")->size() == 3u);
  for (const char* bad : {"invalid_nil.json", "invalid_nil.yml"}) {
    auto groups = discovery::ReadTargetFile(dir + bad);
    BOOST_TEST_REQUIRE(!groups);
    BOOST_TEST(Contains(groups.error().message, "nil target group item found"));
  }
}
