// One Session a connection, its steps on the single network thread but for the answer: a handler runs on the worker
// pool, and the worker sends what it answered if it is short, so that a request costs one wake-up of another thread
// and few system calls; what is long, or does not go out at once, is posted back. While a handler runs the session
// waits for readability: an end of file there means the client has gone, and what comes after a sent answer is the
// next request. Who may touch a session at a time is Session::turn_. Deadlines are looked at by one timer for all.
#include "net/http_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <charconv>
#include <future>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "base/strings.h"

namespace prom::net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr std::uint32_t kMaxHeaderBytes = 16 << 10;
constexpr std::size_t kMaxHeaderFields = 100;
constexpr std::size_t kCompressFrom = 1024;
constexpr std::size_t kSentByWorker = 64 << 10;  // fits into what the kernel takes at once
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

std::int64_t NowMs() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Address {
  std::string host;
  unsigned short port = 0;
};

Result<Address> ParseAddress(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto bad = [&] { return Error{Errc::kInvalid, "listen address " + Quote(text) + ": want host:port or :port"}; };
  if (colon == std::string::npos) return bad();
  Address out;
  out.host = text.substr(0, colon);
  if (out.host.size() >= 2 && out.host.front() == '[' && out.host.back() == ']') out.host = out.host.substr(1, out.host.size() - 2);
  const char* end = text.data() + text.size();
  const auto done = std::from_chars(text.data() + colon + 1, end, out.port);
  if (done.ec != std::errc{} || done.ptr != end) return bad();
  return out;
}

std::string EndpointText(const tcp::endpoint& e) {
  const std::string host = e.address().to_string();
  return (e.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(e.port());
}

bool AcceptsGzip(std::string_view header) {
  for (std::string_view part : Split(header, ',')) {
    const std::size_t semicolon = part.find(';');
    const std::string_view name = TrimSpace(part.substr(0, semicolon));
    if (!EqualIgnoreCase(name, "gzip")) continue;
    const std::string_view rest = semicolon == std::string_view::npos ? std::string_view() : TrimSpace(part.substr(semicolon + 1));
    return rest != "q=0" && rest != "q=0.0";
  }
  return false;
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  class Session;

  Impl(HttpServerOptions o, Handler h) : options(o), handler(std::move(h)), workers(o.workers) {}

  Result<void> Bind(const std::string& text) {
    PROM_ASSIGN(const Address address, ParseAddress(text));
    beast::error_code ec;
    tcp::endpoint endpoint(tcp::v6(), address.port);
    const auto literal = asio::ip::make_address(address.host, ec);
    if (address.host.empty()) {
      // All interfaces, both families where the kernel has IPv6.
    } else if (!ec) {
      endpoint = tcp::endpoint(literal, address.port);
    } else {
      tcp::resolver resolver(io);
      const auto found = resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, ec);
      if (ec || found.empty()) return Error{Errc::kInvalid, "listen address " + Quote(text) + ": " + ec.message()};
      endpoint = *found.begin();
    }
    auto acceptor = std::make_unique<tcp::acceptor>(io);
    acceptor->open(endpoint.protocol(), ec);
    if (ec && address.host.empty()) {
      endpoint = tcp::endpoint(tcp::v4(), address.port);
      acceptor->open(endpoint.protocol(), ec);
    } else if (!ec && address.host.empty()) {
      acceptor->set_option(asio::ip::v6_only(false), ec);
    }
    if (!ec) acceptor->set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor->bind(endpoint, ec);
    if (!ec) acceptor->listen(asio::socket_base::max_listen_connections, ec);
    if (ec) return Error{Errc::kIo, "listen on " + text + ": " + ec.message()};
    acceptors.push_back(std::move(acceptor));
    return {};
  }

  void Accept(tcp::acceptor& acceptor);
  // Closes sessions past their deadline, again and again while there are any.
  void Sweep();

  HttpServerOptions options;
  Handler handler;
  asio::io_context io{1};
  // Until the workers have ended: what they post must still run, or its session would never be freed.
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::thread_pool workers;
  std::vector<std::unique_ptr<tcp::acceptor>> acceptors;
  // A worker may be the last to let a session go. Recursive: closing one may let it go.
  std::recursive_mutex sessions_mutex;
  std::set<Session*> sessions;
  std::atomic<bool> stopping{false};
  asio::steady_timer timer{io};
  bool sweeping = false;  // the network thread's
  std::thread network;
};

class HttpServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Impl> server, tcp::socket socket) : server_(std::move(server)), socket_(std::move(socket)) {
    const std::lock_guard lock(server_->sessions_mutex);
    server_->sessions.insert(this);
    beast::error_code ec;
    socket_.non_blocking(true, ec);
    const auto remote = socket_.remote_endpoint(ec);
    if (!ec) remote_ = EndpointText(remote);
  }
  ~Session() {
    const std::lock_guard lock(server_->sessions_mutex);
    server_->sessions.erase(this);
  }

  void Close() {
    if (canceled_) canceled_->store(true);
    beast::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    // While a worker may send, the descriptor stays its own: it fails, and what it posts then closes.
    if (const Turn turn = turn_; turn != Turn::kWorker && turn != Turn::kWorkerMore) socket_.close(ignored);
  }

  bool Overdue(std::int64_t now_ms) const { return now_ms >= deadline_ms_; }

  void ReadRequest() {
    turn_ = Turn::kNetwork;
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(server_->options.max_body_bytes);
    if (buffer_.size() > 0) return ReadHeader();  // pipelined: already begun
    // Idle until the first byte comes, then the header has its own deadline.
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    socket_.async_read_some(buffer_.prepare(4096), [self = this->shared_from_this()](beast::error_code ec, std::size_t n) {
      if (ec) return self->Close();
      self->buffer_.commit(n);
      self->ReadHeader();
    });
  }

 private:
  void ReadHeader() {
    deadline_ms_ = NowMs() + server_->options.header_timeout_ms;
    // Most requests are here as a whole.
    beast::error_code ec;
    while (!ec && !parser_->is_done() && buffer_.size() > 0) {
      const std::size_t n = parser_->put(buffer_.data(), ec);
      buffer_.consume(n);
      if (n == 0) break;
    }
    if (ec == http::error::need_more) ec = {};
    if (ec || parser_->is_header_done()) return OnHeader(ec);
    http::async_read_header(socket_, buffer_, *parser_, [self = this->shared_from_this()](beast::error_code e, std::size_t) { self->OnHeader(e); });
  }

  void OnHeader(beast::error_code ec) {
    if (ec == http::error::end_of_stream || ec == asio::error::operation_aborted) return Close();
    if (ec == http::error::body_limit) return Refuse(http::status::payload_too_large, "request body too large");
    if (ec == http::error::header_limit) return Refuse(http::status::request_header_fields_too_large, "request header too large");
    if (ec) {
      if (ec.category() == http::make_error_code(http::error::bad_method).category()) return Refuse(http::status::bad_request, "malformed request: " + ec.message());
      return Close();
    }
    const auto& header = parser_->get();
    if (static_cast<std::size_t>(std::distance(header.begin(), header.end())) > kMaxHeaderFields)
      return Refuse(http::status::request_header_fields_too_large, "too many request header fields");
    if (header.count(http::field::content_length) > 0 && header.count(http::field::transfer_encoding) > 0)
      return Refuse(http::status::bad_request, "both Content-Length and Transfer-Encoding");
    if (header.version() < 10) return Refuse(http::status::bad_request, "unsupported HTTP version");
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    if (parser_->is_done()) return Dispatch();
    if (beast::iequals(header[http::field::expect], "100-continue")) {
      continue_ = {http::status::continue_, 11};
      http::async_write(socket_, continue_, [self = this->shared_from_this()](beast::error_code e, std::size_t) { e ? self->Close() : self->ReadBody(); });
      return;
    }
    ReadBody();
  }

  void ReadBody() {
    http::async_read(socket_, buffer_, *parser_, [self = this->shared_from_this()](beast::error_code ec, std::size_t) {
      if (ec == http::error::body_limit) return self->Refuse(http::status::payload_too_large, "request body too large");
      if (ec == asio::error::operation_aborted || ec == asio::error::connection_reset) return self->Close();
      if (ec) return self->Refuse(http::status::bad_request, "malformed request: " + ec.message());
      self->Dispatch();
    });
  }

  void Dispatch() {
    if (server_->stopping) return Close();  // no worker takes it any more
    const auto& message = parser_->get();
    HttpRequest request;
    request.method = std::string(message.method_string());
    std::string_view target(message.target().data(), message.target().size());
    if (target.starts_with("http://")) {  // absolute form
      const std::size_t slash = target.find('/', 7);
      target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
    target = target.substr(0, target.find('#'));
    const std::size_t question = target.find('?');
    request.raw_path = target.substr(0, question);
    if (question != std::string_view::npos) request.query = target.substr(question + 1);
    auto path = PercentDecode(request.raw_path, false);
    if (!path) return Refuse(http::status::bad_request, path.error().message);
    request.path = std::move(*path);
    for (const auto& field : message) request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    request.body = message.body();
    request.remote = remote_;
    canceled_ = std::make_shared<std::atomic<bool>>(false);
    request.canceled = canceled_;
    head_ = message.method() == http::verb::head;
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    gzip_ = AcceptsGzip(request.Header("Accept-Encoding"));
    deadline_ms_ = kNever;
    turn_ = Turn::kWorker;
    Watch();
    asio::post(server_->workers, [self = this->shared_from_this(), request = std::move(request)] {
      auto response = std::make_shared<HttpResponse>();
      try {
        *response = self->server_->handler(request);
      } catch (const std::exception& e) {
        // A handler must not throw; one that does costs its request only.
        LogError("http", "request handler failed", {{"path", request.path}, {"err", e.what()}});
        *response = HttpResponse::Text(500, "internal error\n");
      }
      try {
        self->Encode(response.get());
      } catch (const std::exception& e) {
        LogError("http", "cannot send an answer", {{"path", request.path}, {"err", e.what()}});
        *response = HttpResponse::Text(500, "internal error\n");
      }
      if (!self->SendFromWorker(response.get())) asio::post(self->server_->io, [self, response] { self->Respond(std::move(*response)); });
    });
  }

  // On a worker: sends a short answer. False: nothing was done.
  bool SendFromWorker(HttpResponse* response) {
    if (head_ || !keep_alive_ || response->more || response->body.size() > kSentByWorker || canceled_->load() || server_->stopping) return false;
    SetHeader(*response);
    SetBody(response);
    serializer_.emplace(out_);
    beast::error_code ec;
    http::write(socket_, *serializer_, ec);
    const auto self = this->shared_from_this();
    if (ec == asio::error::would_block) {
      asio::post(server_->io, [self] { self->TakeTurn(), self->WriteRest(); });
      return true;
    }
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    // The watch reads the next request, unless its bytes have been seen already.
    Turn turn = Turn::kWorker;
    if (!ec && buffer_.size() == 0 && turn_.compare_exchange_strong(turn, Turn::kWatch)) return true;
    asio::post(server_->io, [self, ec] { self->TakeTurn(), self->OnWritten(ec); });
    return true;
  }

  // On a worker: compression, and pieces made one where there are no chunks.
  void Encode(HttpResponse* response) {
    if (response->more && (head_ || version_ < 11)) {
      for (bool more = true; more;) {
        std::string piece;
        more = response->more(&piece);
        response->body += piece;
      }
      response->more = nullptr;
    }
    if (!gzip_ || (!response->more && response->body.size() < kCompressFrom) || HasEncoding(*response)) return;
    if (response->more) {
      packer_ = std::make_unique<GzipStream>();
      std::string packed;
      packer_->Append(response->body, false, &packed);
      response->body = std::move(packed);
    } else {
      response->body = Gzip(response->body);
    }
    response->headers.emplace_back("Content-Encoding", "gzip");
    response->headers.emplace_back("Vary", "Accept-Encoding");
  }

  static bool HasEncoding(const HttpResponse& r) {
    for (const auto& [name, value] : r.headers)
      if (EqualIgnoreCase(name, "Content-Encoding")) return true;
    return false;
  }

  void Watch() {
    socket_.async_wait(tcp::socket::wait_read, [self = this->shared_from_this()](beast::error_code ec) {
      if (ec || self->turn_ == Turn::kNetwork) return;
      char byte;
      const ssize_t n = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      // Pipelined bytes are no reason to cancel, and nothing more can be learned behind them.
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) self->canceled_->store(true);
      Turn turn = Turn::kWorker;
      if (self->turn_.compare_exchange_strong(turn, Turn::kWorkerMore)) return;
      if (turn == Turn::kWatch) self->OnWritten({});
    });
  }

  // From here on the session is the network thread's.
  void TakeTurn() {
    turn_ = Turn::kNetwork;
    beast::error_code ignored;
    socket_.cancel(ignored);  // the watch
  }

  void SetHeader(const HttpResponse& response) {
    out_ = {static_cast<http::status>(response.status), version_};
    if (!response.content_type.empty()) out_.set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) out_.insert(name, value);
    out_.keep_alive(keep_alive_);
  }

  void SetBody(HttpResponse* response) {
    const std::size_t size = response->body.size();
    out_.body() = head_ ? std::string() : std::move(response->body);
    if (response->status != 204 && response->status != 304) out_.content_length(size);
  }

  void Respond(HttpResponse response) {
    TakeTurn();
    if (canceled_->load() || server_->stopping) keep_alive_ = false;
    SetHeader(response);
    if (response.more) {
      out_.chunked(true);
      more_ = std::move(response.more);
      piece_ = std::move(response.body);
      return WriteHeader([self = this->shared_from_this()](beast::error_code ec) { ec ? self->Close() : self->WritePiece(true); });
    }
    SetBody(&response);
    Write();
  }

  void Refuse(http::status status, std::string text) {
    out_ = {status, 11};
    out_.set(http::field::content_type, "text/plain; charset=utf-8");
    out_.keep_alive(false);
    keep_alive_ = false;
    head_ = false;
    out_.body() = std::move(text) + "\n";
    out_.prepare_payload();
    Write();
  }

  void Write() {
    if (head_) return WriteHeader([self = this->shared_from_this()](beast::error_code ec) { self->OnWritten(ec); });
    serializer_.emplace(out_);
    WriteRest();
  }

  void WriteRest() {
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    http::async_write(socket_, *serializer_, [self = this->shared_from_this()](beast::error_code ec, std::size_t) { self->OnWritten(ec); });
  }

  template <typename Done>
  void WriteHeader(Done done) {
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    serializer_.emplace(out_);
    serializer_->split(true);
    http::async_write_header(socket_, *serializer_, [done = std::move(done)](beast::error_code ec, std::size_t) { done(ec); });
  }

  // Sends piece_; `more`: others follow.
  void WritePiece(bool more) {
    if (piece_.empty()) return more ? MakePiece() : WriteLastChunk();
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    asio::async_write(socket_, http::make_chunk(asio::buffer(piece_)), [self = this->shared_from_this(), more](beast::error_code ec, std::size_t) {
      if (ec) return self->Close();
      more ? self->MakePiece() : self->WriteLastChunk();
    });
  }

  void MakePiece() {
    if (server_->stopping) return Close();
    deadline_ms_ = kNever;
    asio::post(server_->workers, [self = this->shared_from_this()] {
      bool more = false, failed = false;
      try {
        self->piece_.clear();
        more = self->more_(&self->piece_);
        if (self->packer_ != nullptr) {
          std::string packed;
          self->packer_->Append(self->piece_, !more, &packed);
          self->piece_ = std::move(packed);
        }
      } catch (const std::exception& e) {
        LogError("http", "an answer is cut off", {{"err", e.what()}});
        failed = true;
      }
      asio::post(self->server_->io, [self, more, failed] { failed ? self->Close() : self->WritePiece(more); });
    });
  }

  void WriteLastChunk() {
    more_ = nullptr;
    packer_.reset();
    piece_ = std::string();
    deadline_ms_ = NowMs() + server_->options.idle_timeout_ms;
    asio::async_write(socket_, http::make_chunk_last(), [self = this->shared_from_this()](beast::error_code ec, std::size_t) { self->OnWritten(ec); });
  }

  void OnWritten(beast::error_code ec) {
    if (ec || !keep_alive_ || server_->stopping) return Close();
    out_ = {};
    ReadRequest();
  }

  enum class Turn {
    kNetwork,     // the network thread reads, or sends
    kWorker,      // a worker answers, and sends if it can; the watch is on
    kWorkerMore,  // the same, and the watch has seen bytes or the end: the worker must post
    kWatch,       // the answer is sent, the watch is on: the network thread's
  };

  std::shared_ptr<Impl> server_;
  tcp::socket socket_;
  std::atomic<Turn> turn_{Turn::kNetwork};
  std::atomic<std::int64_t> deadline_ms_{kNever};  // of NowMs()
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> out_;
  http::response<http::empty_body> continue_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  // An answer in pieces: the next one, and where it comes from. A worker's between MakePiece and WritePiece.
  std::function<bool(std::string*)> more_;
  std::unique_ptr<GzipStream> packer_;
  std::string piece_;
  std::shared_ptr<std::atomic<bool>> canceled_;
  std::string remote_;
  bool head_ = false, keep_alive_ = false, gzip_ = false;
  unsigned version_ = 11;
};

void HttpServer::Impl::Accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([self = shared_from_this(), &acceptor](beast::error_code ec, tcp::socket socket) {
    if (self->stopping) return;
    if (!ec) {
      if (std::unique_lock lock(self->sessions_mutex); self->sessions.size() >= self->options.max_connections) {
        lock.unlock();
        socket.close(ec);  // over the limit: refused at once rather than left waiting
      } else {
        lock.unlock();
        socket.set_option(tcp::no_delay(true), ec);
        std::make_shared<Session>(self, std::move(socket))->ReadRequest();
        if (!self->sweeping) self->Sweep();
      }
    } else if (ec == asio::error::no_descriptors) {
      LogWarn("http", "cannot accept a connection", {{"err", ec.message()}});
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    self->Accept(acceptor);
  });
}

void HttpServer::Impl::Sweep() {
  sweeping = false;
  {
    const std::int64_t now_ms = NowMs();
    const std::lock_guard lock(sessions_mutex);
    if (sessions.empty() || stopping) return;
    // Closing one may end it, which takes it out of the set.
    const std::vector<Session*> all(sessions.begin(), sessions.end());
    for (Session* session : all)
      if (sessions.count(session) > 0 && session->Overdue(now_ms)) session->Close();
  }
  sweeping = true;
  timer.expires_after(std::chrono::milliseconds(std::clamp<std::int64_t>(options.header_timeout_ms / 4, 10, 1000)));
  timer.async_wait([self = shared_from_this()](beast::error_code ec) {
    if (!ec) self->Sweep();
  });
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::vector<std::string>& addresses, HttpServerOptions options, Handler handler) {
  auto impl = std::make_shared<Impl>(options, std::move(handler));
  for (const std::string& address : addresses) PROM_TRY(impl->Bind(address));
  for (auto& acceptor : impl->acceptors) impl->Accept(*acceptor);
  impl->network = std::thread([impl = impl.get()] { impl->io.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Stop() {
  if (impl_->stopping.exchange(true)) return;
  // Waited for: what the network thread does afterwards knows that no worker may be given work, which would never be
  // done and keep its session for ever.
  std::promise<void> told;
  asio::post(impl_->io, [impl = impl_, &told] {
    beast::error_code ignored;
    for (auto& acceptor : impl->acceptors) acceptor->close(ignored);
    impl->timer.cancel();
    // Close() may end a session, which takes itself out of the set.
    const std::lock_guard lock(impl->sessions_mutex);
    const std::set<Impl::Session*> sessions = impl->sessions;
    for (Impl::Session* session : sessions)
      if (impl->sessions.count(session) > 0) session->Close();
    told.set_value();
  });
  told.get_future().wait();
  impl_->workers.join();
  impl_->work.reset();
  if (impl_->network.joinable()) impl_->network.join();
}

std::vector<std::string> HttpServer::addresses() const {
  std::vector<std::string> out;
  for (const auto& acceptor : impl_->acceptors) {
    beast::error_code ec;
    const auto e = acceptor->local_endpoint(ec);
    out.push_back(ec ? std::string() : EndpointText(e));
  }
  return out;
}

int HttpServer::port() const {
  beast::error_code ec;
  return impl_->acceptors.empty() ? 0 : impl_->acceptors.front()->local_endpoint(ec).port();
}

}  // namespace prom::net
