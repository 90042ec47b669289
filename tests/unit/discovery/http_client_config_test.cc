#include <boost/test/unit_test.hpp>

#include "discovery/http_client_config.h"
#include "yaml/writer.h"
#include "yaml/yaml.h"

using namespace prom;
using discovery::HttpClientConfig;

namespace {

std::pair<HttpClientConfig, std::string> Read(const std::string& text) {
  auto doc = yaml::Document::Parse(text, "h");
  BOOST_TEST_REQUIRE(bool(doc), (doc ? "" : doc.error().message));
  HttpClientConfig config;
  auto done = Decode(doc->root(), &config);
  return {config, done ? "" : done.error().message};
}

}  // namespace

BOOST_AUTO_TEST_CASE(defaults_and_bearer_token) {
  const auto [plain, none] = Read("");
  BOOST_TEST(none == "");
  BOOST_TEST(plain.follow_redirects);
  BOOST_TEST(plain.enable_http2);
  const auto [token, error] = Read("bearer_token: t\nfollow_redirects: no\n");
  BOOST_TEST(error == "");
  BOOST_TEST(token.authorization->type == "Bearer");
  BOOST_TEST(token.authorization->credentials.value() == "t");
  BOOST_TEST(!token.follow_redirects);
  BOOST_TEST(Read("authorization: {type: ' Token ', credentials: x}").first.authorization->type == "Token");
  BOOST_TEST(Read("authorization:\n").first.authorization.has_value() == false);
}

// Texts of common/config/http_config.go.
BOOST_AUTO_TEST_CASE(errors) {
  struct Row {
    const char *yaml, *want;
  };
  const Row rows[] = {
      {"bearer_token: a\nbearer_token_file: b", "at most one of bearer_token & bearer_token_file must be configured"},
      {"bearer_token: a\nbasic_auth: {username: u}", "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"},
      {"basic_auth: {username: u, username_file: f}", "at most one of basic_auth username, username_file & username_ref must be configured"},
      {"basic_auth: {password: u, password_file: f}", "at most one of basic_auth password, password_file & password_ref must be configured"},
      {"authorization: {credentials: a, credentials_file: b}", "at most one of authorization credentials & credentials_file must be configured"},
      {"authorization: {credentials: a}\nbearer_token: b", "authorization is not compatible with bearer_token & bearer_token_file"},
      {"authorization: {type: Basic}", "authorization type cannot be set to \"basic\", use \"basic_auth\" instead"},
      {"authorization: {credentials: a}\nbasic_auth: {username: u}", "at most one of basic_auth, oauth2 & authorization must be configured"},
      {"oauth2: {token_url: x}", "oauth2 client_id must be configured"},
      {"oauth2: {client_id: x}", "oauth2 token_url must be configured"},
      {"oauth2: {client_id: x, token_url: y, client_secret: a, client_secret_file: b}",
       "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials"},
      {"oauth2: {client_id: x, token_url: y, grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', signature_algorithm: ES256}",
       "valid signature algorithms are RS256, RS384 and RS512"},
      {"tls_config: {ca: a, ca_file: b}", "at most one of ca, ca_file & ca_ref must be configured"},
      {"tls_config: {cert_file: b}", "exactly one of key or key_file must be configured when a client certificate is configured"},
      {"tls_config: {key_file: b}", "exactly one of cert or cert_file must be configured when a client key is configured"},
      {"tls_config: {min_version: TLS9}", "unknown TLS version: TLS9"},
      {"proxy_url: http://p\nproxy_from_environment: true", "if proxy_from_environment is configured, proxy_url must not be configured"},
      {"no_proxy: x", "if no_proxy is configured, proxy_url must also be configured"},
      {"proxy_connect_header: {a: [b]}", "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"},
      {"http_headers: {authorization: {values: [x]}}", "setting header \"Authorization\" is not allowed"},
      {"http_headers: {X-A: {value: [x]}}", "field value not found in type config.Header"},
      {"tls_conf: {}", "field tls_conf not found in type config.plain"},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT("yaml=" << row.yaml) {
      const std::string error = Read(row.yaml).second;
      BOOST_TEST(error.starts_with("h:"));
      BOOST_TEST(error.ends_with(row.want), error);
    }
}

BOOST_AUTO_TEST_CASE(urls) {
  struct Row {
    const char *text, *scheme, *host, *rest;
  };
  const Row good[] = {{"http://a.b:80/c?d=e#f", "http", "a.b:80", "/c?d=e#f"}, {"HTTPS://x", "https", "x", ""}, {"localhost:9090", "localhost", "", "9090"}, {"/path", "", "", "/path"},
                      {"unix:///var/run/docker.sock", "unix", "", "/var/run/docker.sock"}, {"http://[::1]:9090/x", "http", "[::1]:9090", "/x"}, {"", "", "", ""}, {"http://", "http", "", ""},
                      {"http://u:p%41@h/", "http", "h", "/"}, {"foo", "", "", "foo"}, {"http://h?q", "http", "h", "?q"}};
  for (const auto& row : good) {
    BOOST_TEST_CONTEXT("url=" << row.text) {
      auto url = discovery::ParseUrl(row.text);
      BOOST_TEST_REQUIRE(bool(url), (url ? "" : url.error().message));
      BOOST_TEST(url->scheme == row.scheme);
      BOOST_TEST(url->host == row.host);
      BOOST_TEST(url->rest == row.rest);
      if (!url->has_password) BOOST_TEST(url->Redacted() == row.text);
    }
  }
  const std::pair<std::string, std::string> bad[] = {
      {"://x", "parse \"://x\": missing protocol scheme"},
      {"1.2.3.4:80", "parse \"1.2.3.4:80\": first path segment in URL cannot contain colon"},
      {"http://h:port/", "parse \"http://h:port/\": invalid port \":port\" after host"},
      {"http://[::1/", "parse \"http://[::1/\": missing ']' in host"},
      {"http://a b/", "parse \"http://a b/\": invalid character \" \" in host name"},
      {"http://h/%zz", "parse \"http://h/%zz\": invalid URL escape \"%zz\""},
      {"http://h/\x01", "parse \"http://h/\\x01\": net/url: invalid control character in URL"},
      {"http://user:hunter2@h:port/", "parse \"http://user:xxxxx@h:port/\": invalid port \":port\" after host"},
  };
  for (const auto& [text, want] : bad) {
    BOOST_TEST_CONTEXT("url=" << text) {
      auto url = discovery::ParseUrl(text);
      BOOST_TEST_REQUIRE(!url);
      BOOST_TEST(url.error().message == want);
    }
  }
  BOOST_TEST(discovery::ParseUrl("http://u:secret@h:1/p?q#f")->Redacted() == "http://u:xxxxx@h:1/p?q#f");
}

BOOST_AUTO_TEST_CASE(printed_without_secrets_and_read_back) {
  const auto [config, error] = Read(R"(
oauth2:
  client_id: id
  client_secret: CANARY1
  token_url: http://t
  claims: {a: 1, b: [x, {c: true}], d: 2.5}
  scopes: [s]
  endpoint_params: {p: q}
  tls_config: {cert: c, key: CANARY2}
proxy_url: http://u:CANARY3@proxy:1
no_proxy: x
proxy_connect_header: {H: [CANARY4]}
http_headers: {X-A: {values: [v], secrets: [CANARY5], files: [f]}}
tls_config: {cert: c, key: CANARY6, min_version: TLS12}
)");
  BOOST_TEST_REQUIRE(error == "");
  std::string text;
  yaml::Writer w(&text);
  w.BeginMap();
  WriteFields(&w, config);
  w.EndMap();
  BOOST_TEST(text.find("CANARY") == std::string::npos, text);
  const auto [again, second] = Read(text);
  BOOST_TEST(second == "");
  BOOST_TEST(again.oauth2->claims.at("b") == R"(["x",{"c":true}])");
  std::string printed;
  yaml::Writer w2(&printed);
  w2.BeginMap();
  WriteFields(&w2, again);
  w2.EndMap();
  BOOST_TEST(printed == text);
}

BOOST_AUTO_TEST_CASE(directories) {
  auto [config, error] = Read("tls_config: {ca_file: ca.pem, cert_file: /abs/c, key_file: ../k}\nbasic_auth: {password_file: ./p}\nhttp_headers: {A: {files: [f]}}");
  BOOST_TEST(error == "");
  SetDirectory("/etc/prom", &config);
  BOOST_TEST(config.tls.ca_file == "/etc/prom/ca.pem");
  BOOST_TEST(config.tls.cert_file == "/abs/c");
  BOOST_TEST(config.tls.key_file == "/etc/k");
  BOOST_TEST(config.basic_auth->password_file == "/etc/prom/p");
  BOOST_TEST(config.http_headers.at("A").files[0] == "/etc/prom/f");
}
