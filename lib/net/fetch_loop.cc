#include "net/fetch_loop.h"

// libcurl says which sockets it waits for (multi_socket_action), epoll waits: a page costs a
// few system calls however many targets there are, where curl_multi_poll asks for each of them.
//
// The first fetch from a host goes through libcurl, which looks up names and finds an address
// that answers. When the request is plain (plain_http.h) and so was the answer, the next ones
// go straight to that address on connections of our own; when one of those breaks, or an answer
// is not plain any more, libcurl does it again, and looks the name up anew.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <map>
#include <thread>
#include <unordered_map>

#include "base/mutex.h"
#include "base/strings.h"
#include "net/plain_http.h"

namespace prom::net {
namespace {

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
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
  std::string authority;  // of a plain request
  // Whether the answer that libcurl gets could have been read the plain way.
  bool http11 = false, framed = false, closes = false;
  // Inflating is done here and not by libcurl, which takes a body that is cut off for a whole one.
  bool gzip = false, gzip_begun = false, gzip_ended = false, gzip_bad = false;
  z_stream inflater{};
  char error[CURL_ERROR_SIZE] = {};

  ~Transfer() {
    curl_slist_free_all(headers);
    curl_slist_free_all(connect_to);
    if (gzip_begun) inflateEnd(&inflater);
  }
  // As if nothing had come.
  void StartOver() {
    if (gzip_begun) inflateEnd(&inflater);
    gzip = gzip_begun = gzip_ended = gzip_bad = over_limit = false;
    inflater = {};
    result.body.clear();
    result.body_bytes = 0;
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
  if (line.starts_with("HTTP/")) {  // the first answer, or one behind a redirect
    t.gzip = t.framed = t.closes = false;
    t.http11 = line.starts_with("HTTP/1.1 ");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  const std::string_view name = line.substr(0, colon), value = TrimSpace(line.substr(colon + 1));
  if (EqualIgnoreCase(name, "Content-Encoding")) t.gzip = EqualIgnoreCase(value, "gzip");
  if (EqualIgnoreCase(name, "Content-Length") || EqualIgnoreCase(name, "Transfer-Encoding")) t.framed = true;
  if (EqualIgnoreCase(name, "Connection")) t.closes = !EqualIgnoreCase(value, "keep-alive");
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
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Control(EPOLL_CTL_ADD, wake_, EPOLLIN);
    if (InitCurl()) multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 4096L);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    thread_ = std::thread([this] { Run(); });
  }

  ~Impl() {
    Stop();
    for (const auto& [fd, c] : plain_) ::close(fd);
    ::close(epoll_);
    ::close(wake_);
  }

  void Stop() {
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      stopping_ = true;
    }
    Wake();
    if (thread_.joinable()) thread_.join();
    for (auto& [easy, transfer] : running_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
    }
    running_.clear();
    for (CURL* easy : idle_) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi_);
  }

  void Post(std::int64_t at_ns, std::function<void()> task) {
    bool first = false;
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
      const auto added = tasks_.emplace(at_ns, std::move(task));
      first = added == tasks_.begin();  // looked up after the insertion
    }
    if (first && !OnLoopThread()) Wake();
  }

  bool OnLoopThread() const { return std::this_thread::get_id() == thread_.get_id(); }

  // On the loop's thread.
  void Begin(std::unique_ptr<Transfer> t) {
    if (auto plain = MakePlainRequest(t->request)) {
      t->authority = plain->authority;
      const auto peer = peers_.find(t->authority);
      if (peer != peers_.end() && peer->second.usable()) {
        BeginPlain(&peer->second, std::move(t), std::move(plain->bytes));
        return;
      }
    }
    BeginCurl(std::move(t));
  }

 private:
  void BeginCurl(std::unique_ptr<Transfer> t) {
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
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, OnOpenSocket);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, this);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETFUNCTION, OnCloseSocket);
    curl_easy_setopt(t->easy, CURLOPT_CLOSESOCKETDATA, this);
    // The connection would lie idle beside ours.
    if (!t->authority.empty() && peers_[t->authority].failures < kMaxFailures) curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    CURL* easy = t->easy;
    running_[easy] = std::move(t);
    curl_multi_add_handle(multi_, easy);
  }

  // ---- The plain way --------------------------------------------------------

  // A host and port that has answered, where, and our connections to it that are idle.
  struct Peer {
    sockaddr_storage address{};
    socklen_t size = 0;  // 0: libcurl must look
    int failures = 0;    // in a row; at kMaxFailures the plain way is given up for it
    std::vector<int> idle;
    bool usable() const { return size != 0 && failures < kMaxFailures; }
  };
  struct PlainConnection {
    std::string authority;
    std::unique_ptr<Transfer> transfer;  // null while idle
    std::string request;
    PlainResponse response;
    bool connecting = false, fresh = true, touched = false;
    std::int64_t start_ns = 0, deadline_ns = 0;
  };
  static constexpr int kMaxFailures = 3;
  static constexpr std::size_t kMaxIdle = 64;  // of a peer
  static constexpr std::size_t kMaxPeers = 16'384;
  static constexpr std::int64_t kMaxIdleNs = 300'000'000'000;
  static constexpr std::int64_t kSweepNs = 30'000'000'000;
  static constexpr std::size_t kReceiveBytes = 256 << 10;

  void Learn(Transfer* t, CURL* easy) {
    if (t->authority.empty()) return;
    if (peers_.size() >= kMaxPeers) std::erase_if(peers_, [](const auto& p) { return p.second.idle.empty(); });
    Peer& peer = peers_[t->authority];
    long redirects = 0, port = 0;
    char* ip = nullptr;
    curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);
    if (!t->http11 || !t->framed || t->closes || redirects != 0 || ip == nullptr || port <= 0) {
      peer.failures = kMaxFailures;
      return;
    }
    auto& v4 = reinterpret_cast<sockaddr_in&>(peer.address);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(peer.address);
    if (::inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(static_cast<std::uint16_t>(port));
      peer.size = sizeof v4;
    } else if (::inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(static_cast<std::uint16_t>(port));
      peer.size = sizeof v6;
    }
  }

  void BeginPlain(Peer* peer, std::unique_ptr<Transfer> t, std::string request) {
    int fd = -1;
    if (!peer->idle.empty()) {
      fd = peer->idle.back();
      peer->idle.pop_back();
    } else {
      fd = ::socket(peer->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (fd < 0) {
        BeginCurl(std::move(t));  // which says what is wrong
        return;
      }
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      auto made = std::make_unique<PlainConnection>();
      made->authority = t->authority;
      made->connecting = true;
      plain_[fd] = std::move(made);
      WatchOf(fd) = {0, 0, false, true};
    }
    PlainConnection& c = *plain_[fd];
    c.start_ns = NowNs();
    c.deadline_ns = c.start_ns + t->request.timeout_ms * 1'000'000;
    c.transfer = std::move(t);
    c.request = std::move(request);
    c.response = {};
    c.touched = false;
    deadlines_.emplace(c.deadline_ns, fd);
    if (!c.connecting) {
      c.fresh = false;
      SendPlain(fd);
      return;
    }
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer->address), peer->size) == 0) {
      c.connecting = false;
      Control(EPOLL_CTL_ADD, fd, EPOLLIN);
      SendPlain(fd);
    } else if (errno == EINPROGRESS) {
      Control(EPOLL_CTL_ADD, fd, EPOLLOUT);
    } else {
      GiveToCurl(fd, true);
    }
  }

  void SendPlain(int fd) {
    PlainConnection& c = *plain_[fd];
    // A request is far smaller than the buffer of a connection on which nothing is under way.
    if (::send(fd, c.request.data(), c.request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(c.request.size())) GiveToCurl(fd, c.fresh);
  }

  // Takes the connection's transfer, if any, and closes it.
  std::unique_ptr<Transfer> ClosePlain(int fd) {
    const auto it = plain_.find(fd);
    std::unique_ptr<Transfer> t = std::move(it->second->transfer);
    if (t) {
      ForgetDeadline(it->second->deadline_ns, fd);
    } else {
      std::erase(peers_[it->second->authority].idle, fd);
    }
    plain_.erase(it);
    WatchOf(fd) = {};
    ::close(fd);
    return t;
  }

  void ForgetDeadline(std::int64_t deadline_ns, int fd) {
    for (auto [it, end] = deadlines_.equal_range(deadline_ns); it != end; ++it) {
      if (it->second != fd) continue;
      deadlines_.erase(it);
      return;
    }
  }

  // The plain way did not get an answer: libcurl asks again, in the time that is left.
  // `failed`: it was not just a connection that the other side had closed while it was idle.
  void GiveToCurl(int fd, bool failed) {
    const std::int64_t spent_ms = (NowNs() - plain_[fd]->start_ns) / 1'000'000;
    std::unique_ptr<Transfer> t = ClosePlain(fd);
    Peer& peer = peers_[t->authority];
    peer.size = 0;
    if (failed) ++peer.failures;
    t->StartOver();
    t->request.timeout_ms = std::max<std::int64_t>(t->request.timeout_ms - spent_ms, 1);
    BeginCurl(std::move(t));
  }

  void OnPlain(int fd, std::uint32_t events) {
    PlainConnection& c = *plain_[fd];
    if (!c.transfer) {  // idle, and the other side has closed it, or speaks without being asked
      ClosePlain(fd);
      return;
    }
    if (c.connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
      if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        GiveToCurl(fd, true);
        return;
      }
      c.connecting = false;
      Control(EPOLL_CTL_MOD, fd, EPOLLIN);
      SendPlain(fd);
      return;
    }
    if (receive_.empty()) receive_.resize(kReceiveBytes);
    const ssize_t n = ::recv(fd, receive_.data(), receive_.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      if (!c.response.head_done()) {
        GiveToCurl(fd, c.fresh || c.touched);
      } else {
        FinishPlain(fd, Error{Errc::kUnavailable, "the connection was closed in the middle of the body"}, false);
      }
      return;
    }
    c.touched = true;
    Transfer* const t = c.transfer.get();
    const auto state = c.response.Take({receive_.data(), static_cast<std::size_t>(n)}, [&](const char* data, std::size_t size) {
      t->gzip = c.response.gzip();
      return t->gzip ? TakeGzip(t, const_cast<char*>(data), size) : Take(t, data, size);
    });
    if (state == PlainResponse::State::kMore) return;
    if (state == PlainResponse::State::kUnfit && !t->over_limit && !t->gzip_bad) {
      GiveToCurl(fd, true);
      return;
    }
    t->gzip = c.response.gzip();
    FinishPlain(fd, {}, state == PlainResponse::State::kDone && c.response.keep() && !c.response.extra());
  }

  void FinishPlain(int fd, Result<void> done, bool keep) {
    PlainConnection& c = *plain_[fd];
    Peer& peer = peers_[c.authority];
    std::unique_ptr<Transfer> t;
    t = std::move(c.transfer);
    ForgetDeadline(c.deadline_ns, fd);
    t->result.status = c.response.status();
    t->result.content_type = c.response.content_type();
    if (done) peer.failures = 0;
    t->result.done = done ? Verdict(*t, t->result.status) : std::move(done);
    if (keep && peer.idle.size() < kMaxIdle) {
      peer.idle.push_back(fd);
    } else {
      ClosePlain(fd);
    }
    t->on_done(std::move(t->result));
  }

  void EndLatePlain() {
    while (!deadlines_.empty() && deadlines_.begin()->first <= NowNs()) {
      const int fd = deadlines_.begin()->second;
      const Transfer& t = *plain_[fd]->transfer;
      FinishPlain(fd,
                  Error{Errc::kTimeout, "context deadline exceeded: Operation timed out after " + std::to_string((NowNs() - plain_[fd]->start_ns) / 1'000'000) + " milliseconds with " +
                                            std::to_string(t.result.body_bytes) + " bytes received"},
                  false);
    }
  }

  // Closes what nobody has used for long: the target may be gone, and its host with it.
  void CloseOldIdle() {
    const std::int64_t now = NowNs();
    if (now < next_sweep_ns_) return;
    next_sweep_ns_ = now + kSweepNs;
    std::vector<int> old;
    for (const auto& [fd, c] : plain_)
      if (!c->transfer && now - c->start_ns > kMaxIdleNs) old.push_back(fd);
    for (const int fd : old) ClosePlain(fd);
  }

  // What came whole, as far as the transport knows, may still be wrong.
  static Result<void> Verdict(const Transfer& t, int status) {
    if (t.over_limit) return Error{Errc::kLimit, "body size limit exceeded"};
    if (t.gzip_bad) return Error{Errc::kCorrupt, "gzip: damaged body"};
    if (t.gzip && !t.gzip_ended && status == 200) return Error{Errc::kCorrupt, "gzip: unexpected end of the body"};
    return {};
  }

  // ---- libcurl --------------------------------------------------------------

  // What libcurl wants to know of a descriptor, and what epoll was told. A connection that goes idle is
  // left in epoll until something happens on it: the next scrape finds it there, without a system call.
  struct Watch {
    std::uint32_t wanted = 0, known = 0;
    bool connection = false;  // opened and closed through us, so that `known` cannot be out of date
    bool plain = false;       // not libcurl's
  };

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* user, void*) {
    auto& self = *static_cast<Impl*>(user);
    Watch& w = self.WatchOf(fd);
    w.wanted = what == CURL_POLL_REMOVE ? 0 : (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (w.wanted != 0 || !w.connection) self.Tell(fd, &w);
    return 0;
  }
  static int OnTimer(CURLM*, long timeout_ms, void* user) {
    static_cast<Impl*>(user)->timer_ns_ = timeout_ms < 0 ? kNever : NowNs() + timeout_ms * 1'000'000;
    return 0;
  }
  static curl_socket_t OnOpenSocket(void* user, curlsocktype, curl_sockaddr* a) {
    const int fd = ::socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    static_cast<Impl*>(user)->WatchOf(fd) = {0, 0, true, false};
    return fd;
  }
  static int OnCloseSocket(void* user, curl_socket_t fd) {
    static_cast<Impl*>(user)->WatchOf(fd) = {};
    return ::close(fd);
  }

  Watch& WatchOf(int fd) {
    if (static_cast<std::size_t>(fd) >= watches_.size()) watches_.resize(static_cast<std::size_t>(fd) + 1);
    return watches_[static_cast<std::size_t>(fd)];
  }
  int Control(int op, int fd, std::uint32_t events) {
    epoll_event e{};
    e.events = events;
    e.data.fd = fd;
    return ::epoll_ctl(epoll_, op, fd, &e);
  }
  // Epoll learns what is wanted now.
  void Tell(int fd, Watch* w) {
    if (w->wanted == w->known) return;
    if (w->wanted == 0) {
      Control(EPOLL_CTL_DEL, fd, 0);
    } else if (Control(w->known == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, w->wanted) != 0) {
      Control(errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, w->wanted);
    }
    w->known = w->wanted;
  }

  void Wake() {
    const std::uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof one);
  }

  void Run() {
    std::vector<std::function<void()>> due;
    for (;;) {
      {
        MutexLock lock(mutex_);
        if (stopping_) return;
        const std::int64_t now = NowNs();
        while (!tasks_.empty() && tasks_.begin()->first <= now) due.push_back(std::move(tasks_.extract(tasks_.begin()).mapped()));
      }
      for (auto& task : due) task();
      const bool ran = !due.empty();
      due.clear();
      int running = 0;
      if (timer_ns_ <= NowNs()) {
        timer_ns_ = kNever;
        curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
      }
      Collect();
      EndLatePlain();
      CloseOldIdle();
      if (ran) continue;
      // Only now is it known for how long: all of the above may have posted tasks. libcurl is asked,
      // since it does not tell of a time again that was told before, also when it woke us too early.
      if (long ms = -1; !running_.empty() && curl_multi_timeout(multi_, &ms) == CURLM_OK) timer_ns_ = ms < 0 ? kNever : NowNs() + ms * 1'000'000;
      std::int64_t next = std::min(NowNs() + 1'000'000'000, timer_ns_);
      if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
      {
        MutexLock lock(mutex_);
        if (!tasks_.empty()) next = std::min(next, tasks_.begin()->first);
      }
      Wait(next);
    }
  }

  // Lets libcurl act on what is ready, having waited until then at most.
  void Wait(std::int64_t until_ns) {
    epoll_event events[64];
    const int n = EpollWait(events, 64, until_ns - NowNs());
    int running = 0;
    for (int i = 0; i < n; ++i) {
      const int fd = events[i].data.fd;
      if (fd == wake_) {
        std::uint64_t ignored;
        (void)!::read(wake_, &ignored, sizeof ignored);
        continue;
      }
      Watch& w = WatchOf(fd);
      if (w.plain) {
        OnPlain(fd, events[i].events);
        continue;
      }
      if (w.wanted == 0) {  // idle, and the other side has closed it
        Tell(fd, &w);
        continue;
      }
      const std::uint32_t e = events[i].events;
      curl_multi_socket_action(multi_, fd, (e & EPOLLIN ? CURL_CSELECT_IN : 0) | (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) | (e & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0), &running);
    }
    Collect();
  }

  // Schedules count in less than milliseconds, where the kernel (5.11 and later) does too.
  int EpollWait(epoll_event* events, int size, std::int64_t wait_ns) {
    wait_ns = std::max<std::int64_t>(wait_ns, 0);
    if (fine_wait_) {
      const timespec t{static_cast<time_t>(wait_ns / 1'000'000'000), static_cast<long>(wait_ns % 1'000'000'000)};
      const int n = ::epoll_pwait2(epoll_, events, size, &t, nullptr);
      if (n >= 0 || errno != ENOSYS) return n;
      fine_wait_ = false;
    }
    return ::epoll_wait(epoll_, events, size, static_cast<int>((wait_ns + 999'999) / 1'000'000));
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
      const bool refused = t->over_limit || t->gzip_bad;
      t->result.done = code != CURLE_OK && !refused ? Result<void>(ToError(code, *t)) : Verdict(*t, t->result.status);
      if (code == CURLE_OK && status == 200) Learn(t.get(), easy);
      curl_multi_remove_handle(multi_, easy);
      if (idle_.size() < 64) {
        idle_.push_back(easy);
      } else {
        curl_easy_cleanup(easy);
      }
      t->on_done(std::move(t->result));
    }
  }

  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  int epoll_ = -1, wake_ = -1;
  CURLM* multi_ = nullptr;
  std::int64_t timer_ns_ = kNever;                         // loop thread: when libcurl wants to be called
  std::unordered_map<std::string, Peer> peers_;            // loop thread; by authority
  std::unordered_map<int, std::unique_ptr<PlainConnection>> plain_;  // loop thread; by descriptor
  std::multimap<std::int64_t, int> deadlines_;             // loop thread; of plain_
  std::string receive_;                                    // loop thread
  std::int64_t next_sweep_ns_ = 0;                         // loop thread
  std::vector<Watch> watches_;                             // loop thread; by descriptor
  bool fine_wait_ = true;                                  // loop thread
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

void FetchLoop::After(std::int64_t delay_ms, std::function<void()> task) {
  impl_->Post(NowNs() + std::max<std::int64_t>(delay_ms, 0) * 1'000'000, std::move(task));
}

void FetchLoop::Fetch(FetchRequest request, std::string buffer, Callback on_done) {
  auto t = std::make_unique<Transfer>();
  t->request = std::move(request);
  t->on_done = std::move(on_done);
  buffer.clear();
  t->result.body = std::move(buffer);
  if (impl_->OnLoopThread()) {
    impl_->Begin(std::move(t));
    return;
  }
  // std::function wants copyable captures; the transfer is owned by one of them.
  auto shared = std::make_shared<std::unique_ptr<Transfer>>(std::move(t));
  impl_->Post(0, [impl = impl_.get(), shared] { impl->Begin(std::move(*shared)); });
}

}  // namespace prom::net
