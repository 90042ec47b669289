#include "node/netlink.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <memory>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/io.h"

namespace prom::node {
namespace {

// The kernel fills up to 32 KiB a read when there is room for it.
constexpr std::size_t kReadBytes = 32u << 10;

std::size_t Align(std::size_t n) { return (n + 3) & ~std::size_t{3}; }

// A struct at the front of `bytes`, which is taken off with its padding; false: too short.
template <typename T>
bool Take(std::string_view* bytes, T* out) {
  if (bytes->size() < sizeof(T)) return false;
  std::memcpy(out, bytes->data(), sizeof(T));
  bytes->remove_prefix(std::min(bytes->size(), Align(sizeof(T))));
  return true;
}

// Calls each(type, payload) for the attributes in `bytes`.
template <typename F>
void ForEachAttribute(std::string_view bytes, F each) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr a;
    std::memcpy(&a, bytes.data(), sizeof a);
    if (a.rta_len < sizeof a || a.rta_len > bytes.size()) return;
    each(a.rta_type & NLA_TYPE_MASK, bytes.substr(sizeof a, a.rta_len - sizeof a));
    bytes.remove_prefix(std::min(bytes.size(), Align(a.rta_len)));
  }
}

// Calls each(payload) for the messages of `type` in `bytes`.
template <typename F>
Result<void> ForEachMessage(std::string_view bytes, int type, bool* done, F each) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    nlmsghdr h;
    std::memcpy(&h, bytes.data(), sizeof h);
    if (h.nlmsg_len < sizeof h || h.nlmsg_len > bytes.size()) break;
    const std::string_view payload = bytes.substr(sizeof h, h.nlmsg_len - sizeof h);
    if (h.nlmsg_type == NLMSG_DONE) {
      *done = true;
      break;
    }
    if (h.nlmsg_type == NLMSG_ERROR) {
      std::int32_t error = 0;
      if (payload.size() >= sizeof error) std::memcpy(&error, payload.data(), sizeof error);
      *done = true;
      return ErrnoError("netlink dump", "rtnetlink", -error);
    }
    if (h.nlmsg_type == type) each(payload);
    bytes.remove_prefix(std::min(bytes.size(), Align(h.nlmsg_len)));
  }
  return {};
}

std::string_view CString(std::string_view s) { return s.substr(0, s.find('\0')); }

}  // namespace

Result<void> ParseLinks(std::string_view bytes, std::vector<Link>* out, bool* done) {
  return ForEachMessage(bytes, RTM_NEWLINK, done, [&](std::string_view payload) {
    ifinfomsg info;
    if (!Take(&payload, &info)) return;
    Link link;
    link.index = info.ifi_index;
    ForEachAttribute(payload, [&](int type, std::string_view value) {
      if (type == IFLA_IFNAME) {
        link.name = CString(value);
      } else if (type == IFLA_IFALIAS) {
        link.alias = CString(value);
      } else if (type == IFLA_STATS64) {
        // Kernels append fields at the end; older ones have fewer.
        std::memcpy(link.counters.data(), value.data(), std::min(value.size(), sizeof link.counters) & ~std::size_t{7});
        link.has_counters = true;
      } else if (type == IFLA_STATS && !link.has_counters) {
        // 32-bit counters, in the same order; IFLA_STATS64 replaces them when it follows.
        std::array<std::uint32_t, kLinkCounters> narrow{};
        std::memcpy(narrow.data(), value.data(), std::min(value.size(), sizeof narrow) & ~std::size_t{3});
        for (std::size_t i = 0; i < narrow.size(); ++i) link.counters[i] = narrow[i];
        link.has_counters = true;
      }
    });
    if (!link.name.empty()) out->push_back(std::move(link));
  });
}

Result<void> ParseAddresses(std::string_view bytes, std::vector<Address>* out, bool* done) {
  return ForEachMessage(bytes, RTM_NEWADDR, done, [&](std::string_view payload) {
    ifaddrmsg info;
    if (!Take(&payload, &info)) return;
    std::string_view local, address;
    ForEachAttribute(payload, [&](int type, std::string_view value) {
      if (type == IFA_LOCAL) local = value;
      if (type == IFA_ADDRESS) address = value;
    });
    // On a point-to-point link IFA_ADDRESS is the other end.
    const std::string_view raw = local.empty() ? address : local;
    const std::size_t want = info.ifa_family == AF_INET ? 4 : info.ifa_family == AF_INET6 ? 16 : 0;
    if (want == 0 || raw.size() != want) return;
    unsigned char ip[16];
    std::memcpy(ip, raw.data(), want);
    char text[INET6_ADDRSTRLEN];
    if (::inet_ntop(info.ifa_family, ip, text, sizeof text) == nullptr) return;
    Address a;
    a.link_index = static_cast<int>(info.ifa_index);
    a.address = text;
    a.prefix_length = info.ifa_prefixlen;
    const bool zero = std::string_view(reinterpret_cast<char*>(ip), want).find_first_not_of('\0') == std::string_view::npos;
    if (want == 4) {
      const bool multicast = (ip[0] & 0xf0) == 0xe0;
      if (ip[0] == 127 || (ip[0] == 169 && ip[1] == 254) || (ip[0] == 224 && ip[1] == 0 && ip[2] == 0)) {
        a.scope = "link-local";
      } else if (!zero && !multicast && !(ip[0] == 255 && ip[1] == 255 && ip[2] == 255 && ip[3] == 255)) {
        a.scope = "global";
      }
    } else {
      const bool loopback = ip[15] == 1 && std::string_view(reinterpret_cast<char*>(ip), 15).find_first_not_of('\0') == std::string_view::npos;
      if (loopback || (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) || (ip[0] == 0xff && (ip[1] & 0x0f) == 2)) {
        a.scope = "link-local";
      } else if (ip[0] == 0xff && (ip[1] & 0x0f) == 1) {
        a.scope = "interface-local";
      } else if (!zero && ip[0] != 0xff) {
        a.scope = "global";
      }
    }
    out->push_back(std::move(a));
  });
}

Netlink::~Netlink() { Close(); }

void Netlink::Close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<void> Netlink::Dump(int type, const std::function<Result<void>(std::string_view, bool*)>& parse) {
  const auto failed = [this](const char* call) {
    const int error = errno;
    Close();  // what is still to come from the dump must not be taken for the next one
    return ErrnoError(call, "rtnetlink", error);
  };
  if (fd_ < 0) {
    fd_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd_ < 0) return failed("socket");
    const timeval patience{1, 0};  // the kernel answers at once; this is for a bug, not for waiting
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  struct {
    nlmsghdr header;
    union {
      ifinfomsg link;
      ifaddrmsg address;
    };
  } request{};
  request.header.nlmsg_len = NLMSG_LENGTH(type == RTM_GETLINK ? sizeof(ifinfomsg) : sizeof(ifaddrmsg));
  request.header.nlmsg_type = static_cast<std::uint16_t>(type);
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = ++sequence_;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd_, &request, request.header.nlmsg_len, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0) return failed("sendto");
  const auto buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  for (bool done = false; !done;) {
    sockaddr_nl from{};
    socklen_t from_size = sizeof from;
    const ssize_t n = ::recvfrom(fd_, buffer.get(), kReadBytes, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("recvfrom");
    if (from.nl_pid != 0) continue;  // not from the kernel
    const std::string_view bytes(buffer.get(), static_cast<std::size_t>(n));
    // All messages of one read belong to one dump.
    if (bytes.size() >= sizeof(nlmsghdr)) {
      nlmsghdr h;
      std::memcpy(&h, bytes.data(), sizeof h);
      if (h.nlmsg_seq != sequence_) continue;
    }
    if (auto parsed = parse(bytes, &done); !parsed) {
      Close();
      return parsed;
    }
  }
  return {};
}

Result<void> Netlink::Links(std::vector<Link>* out) {
  out->clear();
  return Dump(RTM_GETLINK, [out](std::string_view bytes, bool* done) { return ParseLinks(bytes, out, done); });
}

Result<void> Netlink::Addresses(std::vector<Address>* out) {
  out->clear();
  return Dump(RTM_GETADDR, [out](std::string_view bytes, bool* done) { return ParseAddresses(bytes, out, done); });
}

}  // namespace prom::node
