#include <boost/test/unit_test.hpp>

#include "../../testing.h"
#include "config/config.h"

using namespace prom;

namespace {

std::string ErrorOf(const std::string& text) {
  auto config = config::ParseConfig(text, "p.yml");
  return config ? "" : config.error().message;
}

config::Config MustParse(const std::string& text) {
  auto config = config::ParseConfig(text, "p.yml");
  BOOST_TEST_REQUIRE(bool(config), (config ? "" : config.error().message));
  return std::move(*config);
}

}  // namespace

BOOST_AUTO_TEST_CASE(empty_is_all_defaults) {
  for (const char* text : {"", "global:\n", "{}", "# nothing\n"}) {
    BOOST_TEST_CONTEXT("text=" << text) {
      const auto c = MustParse(text);
      BOOST_TEST(c.global.scrape_interval_ms == 60'000);
      BOOST_TEST(c.global.scrape_timeout_ms == 10'000);
      BOOST_TEST(c.global.evaluation_interval_ms == 60'000);
      BOOST_TEST(c.scrape_configs.empty());
      BOOST_TEST(!c.storage.max_exemplars.has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(timeouts_follow_intervals) {
  // The default timeout is never longer than the interval.
  const auto c = MustParse("global: {scrape_interval: 3s}\nscrape_configs: [{job_name: a}, {job_name: b, scrape_interval: 1s}, {job_name: c, scrape_interval: 1m}]\n");
  BOOST_TEST(c.global.scrape_timeout_ms == 3'000);
  BOOST_TEST(c.scrape_configs[0].scrape_timeout_ms == 3'000);
  BOOST_TEST(c.scrape_configs[1].scrape_timeout_ms == 1'000);
  BOOST_TEST(c.scrape_configs[2].scrape_timeout_ms == 3'000);
  BOOST_TEST(ErrorOf("global: {scrape_interval: 3s, scrape_timeout: 4s}") == "p.yml:1:47: global scrape timeout greater than scrape interval");
  // 0 means the default here, as upstream has it.
  BOOST_TEST(MustParse("global: {scrape_interval: 0s}").global.scrape_interval_ms == 60'000);
}

// Where things are wrong, to the column.
BOOST_AUTO_TEST_CASE(errors_name_the_place) {
  struct Row {
    const char *text, *want;
  };
  const Row rows[] = {
      {"globl: {}\n", "p.yml:1:1: yaml: unmarshal errors: field globl not found in type config.plain"},
      {"global:\n  scrape_intervall: 1s\n", "p.yml:2:3: yaml: unmarshal errors: field scrape_intervall not found in type config.plain"},
      {"global:\n  scrape_interval: 1s\n  scrape_interval: 2s\n", "p.yml:3:3: yaml: unmarshal errors: field scrape_interval already set in type config.plain"},
      {"scrape_configs:\n- job_name: a\n  honor_labels: maybe\n", "p.yml:3:17: yaml: unmarshal errors: cannot unmarshal !!str `maybe` into bool"},
      {"scrape_configs:\n- job_name: a\n  sample_limit: -1\n", "p.yml:3:17: yaml: unmarshal errors: cannot unmarshal !!int `-1` into uint"},
      {"scrape_configs:\n- job_name: a\n  scrape_interval: 10\n", "p.yml:3:20: not a valid duration string: \"10\""},
      {"scrape_configs:\n- job_name: a\n  static_configs:\n  - target: [x]\n", "p.yml:4:5: yaml: unmarshal errors: field target not found in type struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }"},
      {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  - source_labels: [x]\n    regx: y\n", "p.yml:5:5: yaml: unmarshal errors: field regx not found in type relabel.plain"},
      {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  - regex: '('\n    target_label: x\n", "p.yml:4:5: error parsing regexp: missing closing ): `^(?s:()$`"},
      {"scrape_configs:\n  job_name: a\n", "p.yml:2:3: yaml: unmarshal errors: cannot unmarshal !!map into []*config.ScrapeConfig"},
      {"scrape_configs:\n- job_name: a\n- job_name: b\n- job_name: a\n", "p.yml:4:3: found multiple scrape configs with job name \"a\""},
      {"scrape_configs:\n- job_name: a\n  kubernetes_sd_configs:\n  - role: cat\n", "p.yml:4:11: unknown Kubernetes SD role \"cat\""},
      {"scrape_configs:\n- job_name: a\n  dns_sd_configs:\n  - names: [x]\n    type: A\n", "p.yml:4:5: a port is required in DNS-SD configs for all record types except SRV"},
      {"[1, 2]\n", "p.yml:1:1: yaml: unmarshal errors: cannot unmarshal !!seq into config.plain"},
      {"global: [\n", "p.yml:2:1: yaml: end of sequence flow not found"},
      {"a: &a [*a]\n", "p.yml:1:8: yaml: anchor 'a' value contains itself"},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT("text=" << row.text) BOOST_TEST(ErrorOf(row.text) == row.want);
}

// A canary in every secret that can be configured: none may be printed.
BOOST_AUTO_TEST_CASE(canaries) {
  const std::string auth[] = {"basic_auth: {username: u, password: CANARY}", "authorization: {credentials: CANARY}", "bearer_token: CANARY",
                              "oauth2: {client_id: i, token_url: u, client_secret: CANARY, tls_config: {cert: c, key: CANARY}, proxy_url: 'http://u:CANARY@p', proxy_connect_header: {A: [CANARY]}}",
                              "oauth2: {client_id: i, token_url: u, grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', client_certificate_key: CANARY}"};
  const std::string common = "tls_config: {cert: c, key: CANARY}, proxy_url: 'http://u:CANARY@p:1/', proxy_connect_header: {A: [CANARY]}, http_headers: {H: {secrets: [CANARY]}}";
  std::string text = "scrape_configs:\n";
  int job = 0;
  for (const auto& a : auth) text += "- {job_name: a" + std::to_string(job++) + ", " + a + ", " + common + ", http_sd_configs: [{url: 'http://x', " + a + ", " + common + "}]}\n";
  text += R"(- job_name: sd
  azure_sd_configs: [{subscription_id: s, tenant_id: t, client_id: c, client_secret: CANARY}]
  consul_sd_configs: [{token: CANARY}, {username: u, password: CANARY}]
  ec2_sd_configs: [{access_key: a, secret_key: CANARY}]
  aws_sd_configs: [{role: ec2, secret_key: CANARY}]
  ecs_sd_configs: [{secret_key: CANARY}]
  msk_sd_configs: [{secret_key: CANARY}]
  rds_sd_configs: [{secret_key: CANARY}]
  elasticache_sd_configs: [{secret_key: CANARY}]
  lightsail_sd_configs: [{secret_key: CANARY}]
  marathon_sd_configs: [{servers: [x], auth_token: CANARY}]
  oci_sd_configs: [{region: r, tenancy: t, user: u, fingerprint: f, key_file: k, key_passphrase: CANARY}]
  openstack_sd_configs: [{role: instance, region: r, password: CANARY, application_credential_secret: CANARY, tls_config: {cert: c, key: CANARY}}]
  outscale_sd_configs: [{access_key: a, secret_key: CANARY}]
  ovhcloud_sd_configs: [{application_key: a, application_secret: CANARY, consumer_key: CANARY, service: vps}]
  scaleway_sd_configs: [{role: instance, project_id: p, access_key: a, secret_key: CANARY}]
  stackit_sd_configs: [{service_account_key: CANARY, private_key: CANARY}]
  triton_sd_configs: [{account: a, dns_suffix: d, endpoint: e, tls_config: {cert: c, key: CANARY}}]
  uyuni_sd_configs: [{server: s, username: u, password: CANARY}]
  kubernetes_sd_configs: [{role: node, api_server: 'https://u:CANARY@k8s', bearer_token: CANARY}]
alerting:
  alertmanagers:
  - {basic_auth: {password: CANARY}}
  - {sigv4: {access_key: a, secret_key: CANARY}}
remote_write:
- {url: 'http://u:CANARY@h/w', basic_auth: {password: CANARY}}
- {url: h, sigv4: {access_key: a, secret_key: CANARY}}
- {url: h, azuread: {oauth: {client_id: 00000000-0000-0000-0000-000000000000, client_secret: CANARY, tenant_id: t}}}
- {url: h, azuread: {certificate: {client_id: 00000000-0000-0000-0000-000000000000, tenant_id: t, certificate_path: p, certificate_password: CANARY}}}
remote_read:
- {url: 'http://u:CANARY@h/r', authorization: {credentials: CANARY}}
tracing: {endpoint: e, tls_config: {cert: c, key: CANARY}}
)";
  const std::string printed = config::PrintConfig(MustParse(text));
  BOOST_TEST(printed.find("CANARY") == std::string::npos);
  BOOST_TEST(printed.find("http://u:xxxxx@h/w") != std::string::npos);
  // And what is printed is a configuration.
  BOOST_TEST(ErrorOf(printed) == "");
}

// Errors about a secret do not quote it.
BOOST_AUTO_TEST_CASE(errors_hide_secrets) {
  for (const char* text : {"scrape_configs: [{job_name: a, proxy_url: 'http://u:CANARY@h:port'}]", "remote_write: [{url: 'http://u:CANARY@h h/'}]",
                           "scrape_configs: [{job_name: a, basic_auth: {password: [CANARY]}}]", "scrape_configs: [{job_name: a, basic_auth: {password: CANARY, password_file: f}}]"}) {
    const std::string error = ErrorOf(text);
    BOOST_TEST_CONTEXT("error=" << error) {
      BOOST_TEST(error != "");
      BOOST_TEST(error.find("CANARY") == std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(relabel_rules_are_compiled) {
  const auto c = MustParse("scrape_configs: [{job_name: a, metric_relabel_configs: [{source_labels: [__name__], regex: 'go_.*', action: drop}]}]");
  LabelsBuilder b(Labels{{"__name__", "go_goroutines"}});
  BOOST_TEST(!relabel::Process(c.scrape_configs[0].metric_relabel_rules, &b));
  // The name scheme of the job decides what a rule may do.
  BOOST_TEST(ErrorOf("scrape_configs: [{job_name: a, metric_name_validation_scheme: legacy, relabel_configs: [{target_label: 'a.b'}]}]") ==
             "p.yml:1:89: \"a.b\" is invalid 'target_label' for replace action");
}

BOOST_AUTO_TEST_CASE(urls_as_targets_need_relabelling) {
  BOOST_TEST(ErrorOf("scrape_configs: [{job_name: a, static_configs: [{targets: ['http://x']}]}]") == "p.yml:1:48: \"http://x\" is not a valid hostname");
  BOOST_TEST(ErrorOf("scrape_configs: [{job_name: a, static_configs: [{targets: ['http://x']}], relabel_configs: [{target_label: x}]}]") == "");
}

BOOST_AUTO_TEST_CASE(merge_keys_share_settings) {
  const auto c = MustParse("scrape_configs:\n- &base {job_name: a, scrape_interval: 5s, metrics_path: /m}\n- {<<: *base, job_name: b, metrics_path: /n}\n");
  BOOST_TEST(c.scrape_configs[1].job_name == "b");
  BOOST_TEST(c.scrape_configs[1].scrape_interval_ms == 5'000);
  BOOST_TEST(c.scrape_configs[1].metrics_path == "/n");
}

BOOST_AUTO_TEST_CASE(loading_files) {
  testing::TempDir dir;
  auto missing = config::LoadConfig(dir / "none.yml");
  BOOST_TEST_REQUIRE(!missing);
  BOOST_TEST(int(missing.error().code) == int(Errc::kNotFound));
  testing::WriteFile(dir / "p.yml", "rule_files: [rules/*.yml, /abs.yml]\nscrape_config_files: ['more/*.yml', none/*.yml]\nscrape_configs: [{job_name: a, file_sd_configs: [{files: [sd/*.yml]}]}]\n");
  std::filesystem::create_directory(dir / "more");
  testing::WriteFile(dir / "more/x.yml", "scrape_configs: [{job_name: b, file_sd_configs: [{files: [sd/*.yml]}]}]\n");
  auto c = config::LoadConfig(dir / "p.yml");
  BOOST_TEST_REQUIRE(bool(c), (c ? "" : c.error().message));
  BOOST_TEST(c->rule_files[0] == dir / "rules/*.yml");
  BOOST_TEST(c->rule_files[1] == "/abs.yml");
  BOOST_TEST(c->AllScrapeConfigs().size() == 2u);
  BOOST_TEST(c->AllScrapeConfigs()[1]->sd.file[0].files[0] == dir / "more/sd/*.yml");
  testing::WriteFile(dir / "more/x.yml", "scrape_config: []\n");
  BOOST_TEST(config::LoadConfig(dir / "p.yml").error().message == dir / "more/x.yml:1:1: yaml: unmarshal errors: field scrape_config not found in type config.ScrapeConfigs");
}
