#include "net/fetch_loop.h"

#include <curl/curl.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "base/mutex.h"
#include "base/strings.h"

namespace prom::net {
namespace {

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Once in the life of a process, before any other call into libcurl.
// False: there is no libcurl (curl_lazy.cc loads it here).
bool InitCurl() {
  static const bool kDone = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return kDone;
}

long TlsVersion(const std::string& name, bool maximum) {
  static constexpr std::pair<std::string_view, std::pair<long, long>> kVersions[] = {
      {"TLS10", {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_0}},
      {"TLS11", {CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_1}},
      {"TLS12", {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_2}},
      {"TLS13", {CURL_SSLVERSION_TLSv1_3, CURL_SSLVERSION_MAX_TLSv1_3}},
  };
  for (const auto& [key, values] : kVersions)
    if (key == name) return maximum ? values.second : values.first;
  return maximum ? long{CURL_SSLVERSION_MAX_DEFAULT} : long{CURL_SSLVERSION_TLSv1_2};
}

struct Transfer {
  FetchRequest request;
  FetchLoop::Callback on_done;
  FetchResult result{Result<void>(), 0, {}, {}, 0};
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  curl_slist* connect_to = nullptr;
  bool over_limit = false;
  // Inflating is done here and not by libcurl, which takes a body that is cut off for a whole one.
  bool gzip = false, gzip_begun = false, gzip_ended = false, gzip_bad = false;
  z_stream inflater{};
  char error[CURL_ERROR_SIZE] = {};

  ~Transfer() {
    curl_slist_free_all(headers);
    curl_slist_free_all(connect_to);
    if (gzip_begun) inflateEnd(&inflater);
  }
};

// False: more than may come; the transfer ends.
bool Take(Transfer* t, const char* data, std::size_t size) {
  t->result.body_bytes += size;
  if (t->result.body_bytes >= t->request.max_body_bytes) {
    t->over_limit = true;
    return false;
  }
  t->result.body.append(data, size);
  return true;
}

bool TakeGzip(Transfer* t, char* data, std::size_t size) {
  if (!t->gzip_begun) {
    t->gzip_begun = inflateInit2(&t->inflater, 15 + 16) == Z_OK;  // 16: the gzip wrapper, with its CRC and length
    if (!t->gzip_begun) return false;
  }
  t->inflater.next_in = reinterpret_cast<Bytef*>(data);
  t->inflater.avail_in = static_cast<uInt>(size);
  char out[64 << 10];
  while (!t->gzip_ended) {
    t->inflater.next_out = reinterpret_cast<Bytef*>(out);
    t->inflater.avail_out = sizeof out;
    const int state = inflate(&t->inflater, Z_NO_FLUSH);
    if (!Take(t, out, sizeof out - t->inflater.avail_out)) return false;
    t->gzip_ended = state == Z_STREAM_END;
    if (state == Z_BUF_ERROR || (state == Z_OK && t->inflater.avail_out > 0)) return true;  // wants more
    if (state != Z_OK && state != Z_STREAM_END) {
      t->gzip_bad = true;
      return false;
    }
  }
  return true;
}

std::size_t OnBody(char* data, std::size_t size, std::size_t n, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * n;
  return (t.gzip ? TakeGzip(&t, data, bytes) : Take(&t, data, bytes)) ? bytes : 0;
}

std::size_t OnHeader(char* data, std::size_t size, std::size_t n, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::string_view line(data, size * n);
  if (line.starts_with("HTTP/")) t.gzip = false;  // of the next answer, behind a redirect
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos && EqualIgnoreCase(line.substr(0, colon), "Content-Encoding"))
    t.gzip = EqualIgnoreCase(TrimSpace(line.substr(colon + 1)), "gzip");
  return line.size();
}

void SetBlob(CURL* easy, CURLoption option, std::string& pem) {
  curl_blob blob{pem.data(), pem.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
}

void SetUp(Transfer* t) {
  FetchRequest& r = t->request;
  CURL* e = t->easy;
  const auto set_if = [&](CURLoption option, const std::string& value) {
    if (!value.empty()) curl_easy_setopt(e, option, value.c_str());
  };
  curl_easy_setopt(e, CURLOPT_URL, r.url.c_str());
  curl_easy_setopt(e, CURLOPT_PRIVATE, t);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, r.follow_redirects ? 1L : 0L);
  curl_easy_setopt(e, CURLOPT_MAXREDIRS, 10L);
  curl_easy_setopt(e, CURLOPT_UNRESTRICTED_AUTH, 0L);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, static_cast<long>(r.timeout_ms));
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(r.timeout_ms));
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, r.enable_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 128L << 10);
  curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
  for (const auto& [name, value] : r.headers) t->headers = curl_slist_append(t->headers, (name + (value.empty() ? ";" : ": " + value)).c_str());
  t->headers = curl_slist_append(t->headers, r.accept_gzip ? "Accept-Encoding: gzip" : "Accept-Encoding: identity");
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
  if (!r.post_form.empty()) {
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(r.post_form.size()));
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, r.post_form.c_str());
  }
  set_if(CURLOPT_UNIX_SOCKET_PATH, r.unix_socket);
  if (!r.username.empty() || !r.password.empty()) {
    curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(e, CURLOPT_USERNAME, r.username.c_str());
    curl_easy_setopt(e, CURLOPT_PASSWORD, r.password.c_str());
  }
  set_if(CURLOPT_CAINFO, r.ca_file);
  set_if(CURLOPT_SSLCERT, r.cert_file);
  set_if(CURLOPT_SSLKEY, r.key_file);
  if (!r.ca_pem.empty()) SetBlob(e, CURLOPT_CAINFO_BLOB, r.ca_pem);
  if (!r.cert_pem.empty()) SetBlob(e, CURLOPT_SSLCERT_BLOB, r.cert_pem);
  if (!r.key_pem.empty()) SetBlob(e, CURLOPT_SSLKEY_BLOB, r.key_pem);
  if (r.insecure_skip_verify) {
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(e, CURLOPT_SSLVERSION, TlsVersion(r.tls_min_version, false) | TlsVersion(r.tls_max_version, true));
  // An empty proxy keeps the environment out.
  if (!r.proxy_url.empty() || !r.proxy_from_environment) curl_easy_setopt(e, CURLOPT_PROXY, r.proxy_url.c_str());
  set_if(CURLOPT_NOPROXY, r.no_proxy);
}

// libcurl checks a certificate against the URL's host. To check another name the
// URL takes that name, and the connection is led to the real host.
void UseServerName(Transfer* t) {
  FetchRequest& r = t->request;
  const std::size_t start = r.url.find("://");
  if (r.tls_server_name.empty() || start == std::string::npos) return;
  const std::size_t end = std::min(r.url.find_first_of("/?#", start + 3), r.url.size());
  const std::string host = r.url.substr(start + 3, end - start - 3);
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  t->connect_to = curl_slist_append(nullptr, ("::" + host + (has_port ? "" : ":")).c_str());
  curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to);
  r.headers.emplace_back("Host", host);
  r.url.replace(start + 3, host.size(), r.tls_server_name + (has_port ? host.substr(colon) : ""));
}

Error ToError(CURLcode code, const Transfer& t) {
  const std::string text = t.error[0] != 0 ? t.error : curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return {Errc::kTimeout, "context deadline exceeded: " + text};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return {Errc::kInvalid, text};
    case CURLE_TOO_MANY_REDIRECTS: return {Errc::kInvalid, "stopped after 10 redirects"};
    case CURLE_BAD_CONTENT_ENCODING: return {Errc::kCorrupt, text};
    default: return {Errc::kUnavailable, text};
  }
}

}  // namespace

class FetchLoop::Impl {
 public:
  Impl() {
    if (InitCurl()) multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 4096L);
    thread_ = std::thread([this] { Run(); });
  }

  ~Impl() { Stop(); }

  void Stop() {
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    if (thread_.joinable()) thread_.join();
    for (auto& [easy, transfer] : running_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
    }
    running_.clear();
    for (CURL* easy : idle_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
  }

  void Post(std::int64_t at_ms, std::function<void()> task) {
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      tasks_.emplace(at_ms, std::move(task));
    }
    if (std::this_thread::get_id() != thread_.get_id()) curl_multi_wakeup(multi_);
  }

  void Begin(std::unique_ptr<Transfer> t) {
    if (multi_ == nullptr) {
      t->result.done = Error{Errc::kUnavailable, "libcurl.so.4 cannot be loaded (Debian's package libcurl4)"};
      t->on_done(std::move(t->result));
      return;
    }
    if (idle_.empty()) {
      t->easy = curl_easy_init();
    } else {
      t->easy = idle_.back();
      idle_.pop_back();
      curl_easy_reset(t->easy);
    }
    UseServerName(t.get());
    SetUp(t.get());
    CURL* easy = t->easy;
    running_[easy] = std::move(t);
    curl_multi_add_handle(multi_, easy);
  }

 private:
  void Run() {
    for (;;) {
      std::int64_t wait_ms = 1000;
      std::vector<std::function<void()>> due;
      {
        MutexLock lock(mutex_);
        if (stopping_) return;
        const std::int64_t now = NowMs();
        while (!tasks_.empty() && tasks_.begin()->first <= now) {
          due.push_back(std::move(tasks_.begin()->second));
          tasks_.erase(tasks_.begin());
        }
        if (!tasks_.empty()) wait_ms = std::min(wait_ms, tasks_.begin()->first - now);
      }
      for (auto& task : due) task();
      int running = 0;
      curl_multi_perform(multi_, &running);
      Collect();
      if (!due.empty()) continue;  // tasks may have posted more
      if (multi_ == nullptr) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      curl_multi_poll(multi_, nullptr, 0, static_cast<int>(wait_ms), nullptr);
    }
  }

  void Collect() {
    int left = 0;
    while (const CURLMsg* m = curl_multi_info_read(multi_, &left)) {
      if (m->msg != CURLMSG_DONE) continue;
      CURL* easy = m->easy_handle;
      const CURLcode code = m->data.result;
      auto it = running_.find(easy);
      std::unique_ptr<Transfer> t = std::move(it->second);
      running_.erase(it);
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      t->result.status = static_cast<int>(status);
      char* type = nullptr;
      if (curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type != nullptr) t->result.content_type = type;
      if (t->over_limit) {
        t->result.done = Error{Errc::kLimit, "body size limit exceeded"};
      } else if (t->gzip_bad || (code == CURLE_OK && t->gzip && !t->gzip_ended && status == 200)) {
        t->result.done = Error{Errc::kCorrupt, t->gzip_bad ? "gzip: damaged body" : "gzip: unexpected end of the body"};
      } else if (code != CURLE_OK) {
        t->result.done = ToError(code, *t);
      }
      curl_multi_remove_handle(multi_, easy);
      if (idle_.size() < 64) {
        idle_.push_back(easy);
      } else {
        curl_easy_cleanup(easy);
      }
      t->on_done(std::move(t->result));
    }
  }

  CURLM* multi_ = nullptr;
  std::map<CURL*, std::unique_ptr<Transfer>> running_;     // loop thread
  std::vector<CURL*> idle_;                                // loop thread
  Mutex mutex_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::multimap<std::int64_t, std::function<void()>> tasks_ GUARDED_BY(mutex_);
  std::thread thread_;
};

FetchLoop::FetchLoop() : impl_(std::make_unique<Impl>()) {}
FetchLoop::~FetchLoop() = default;
void FetchLoop::Stop() { impl_->Stop(); }

void FetchLoop::After(std::int64_t delay_ms, std::function<void()> task) { impl_->Post(NowMs() + std::max<std::int64_t>(delay_ms, 0), std::move(task)); }

void FetchLoop::Fetch(FetchRequest request, std::string buffer, Callback on_done) {
  // std::function wants copyable captures; the transfer is owned by one of them.
  auto t = std::make_shared<std::unique_ptr<Transfer>>(std::make_unique<Transfer>());
  (*t)->request = std::move(request);
  (*t)->on_done = std::move(on_done);
  buffer.clear();
  (*t)->result.body = std::move(buffer);
  impl_->Post(0, [impl = impl_.get(), t] { impl->Begin(std::move(*t)); });
}

}  // namespace prom::net
