// Network devices and addresses by rtnetlink: one dump has for all devices what
// /sys/class/net has in some thirty files for each.
//
// Not thread-safe. Errors: kIo, the system call is named.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace prom::node {

// Counters of a device, in the order of struct rtnl_link_stats64.
enum LinkCounter {
  kLinkRxPackets, kLinkTxPackets, kLinkRxBytes, kLinkTxBytes, kLinkRxErrors, kLinkTxErrors, kLinkRxDropped, kLinkTxDropped,
  kLinkMulticast, kLinkCollisions, kLinkRxLengthErrors, kLinkRxOverErrors, kLinkRxCrcErrors, kLinkRxFrameErrors,
  kLinkRxFifoErrors, kLinkRxMissedErrors, kLinkTxAbortedErrors, kLinkTxCarrierErrors, kLinkTxFifoErrors,
  kLinkTxHeartbeatErrors, kLinkTxWindowErrors, kLinkRxCompressed, kLinkTxCompressed, kLinkRxNoHandler,
  kLinkCounters,
};

struct Link {
  int index = 0;
  std::string name, alias;
  bool has_counters = false;
  std::array<std::uint64_t, kLinkCounters> counters{};
};

struct Address {
  int link_index = 0;
  std::string address;  // numeric text
  int prefix_length = 0;
  // "link-local", "interface-local", "global" or "", as Go's net package sorts them.
  std::string_view scope;
};

// Messages as read from the socket, appended to *out. Sets *done at the end of
// the dump. Any bytes are fine: what does not fit its length is left out.
// kIo: the kernel answered with an error.
Result<void> ParseLinks(std::string_view bytes, std::vector<Link>* out, bool* done);
Result<void> ParseAddresses(std::string_view bytes, std::vector<Address>* out, bool* done);

class Netlink {
 public:
  Netlink() = default;
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  // All devices of our network namespace; the socket is kept between calls.
  Result<void> Links(std::vector<Link>* out);
  Result<void> Addresses(std::vector<Address>* out);

 private:
  Result<void> Dump(int type, const std::function<Result<void>(std::string_view, bool*)>& parse);
  void Close();
  int fd_ = -1;
  std::uint32_t sequence_ = 0;
};

}  // namespace prom::node
