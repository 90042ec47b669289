// netdev: counters of network devices, from rtnetlink or /proc/net/dev.
//
// The kernel's driver counters are finer than /proc/net/dev; unless
// --collector.netdev.enable-detailed-metrics asks for them, they are added up to
// the names of that file (net/core/net-procfs.c), which dashboards know.
#include <algorithm>

#include "base/io.h"
#include "base/strings.h"
#include "node/collector.h"
#include "node/filter.h"
#include "node/netlink.h"
#include "node/parse_proc.h"

namespace prom::node {
namespace {

// A family and the counters whose sum it shows, ended by -1.
struct Family {
  std::string_view key;
  int parts[5];
};

// By rtnetlink, legacy names.
constexpr Family kLinkFamilies[] = {
    {"receive_bytes", {kLinkRxBytes, -1}},
    {"receive_compressed", {kLinkRxCompressed, -1}},
    {"receive_drop", {kLinkRxDropped, kLinkRxMissedErrors, -1}},
    {"receive_errs", {kLinkRxErrors, -1}},
    {"receive_fifo", {kLinkRxFifoErrors, -1}},
    {"receive_frame", {kLinkRxFrameErrors, kLinkRxLengthErrors, kLinkRxOverErrors, kLinkRxCrcErrors, -1}},
    {"receive_multicast", {kLinkMulticast, -1}},
    {"receive_nohandler", {kLinkRxNoHandler, -1}},
    {"receive_packets", {kLinkRxPackets, -1}},
    {"transmit_bytes", {kLinkTxBytes, -1}},
    {"transmit_carrier", {kLinkTxCarrierErrors, kLinkTxAbortedErrors, kLinkTxHeartbeatErrors, kLinkTxWindowErrors, -1}},
    {"transmit_colls", {kLinkCollisions, -1}},
    {"transmit_compressed", {kLinkTxCompressed, -1}},
    {"transmit_drop", {kLinkTxDropped, -1}},
    {"transmit_errs", {kLinkTxErrors, -1}},
    {"transmit_fifo", {kLinkTxFifoErrors, -1}},
    {"transmit_packets", {kLinkTxPackets, -1}},
};
constexpr Family kDetailedLinkFamilies[] = {
    {"receive_packets", {kLinkRxPackets, -1}},       {"transmit_packets", {kLinkTxPackets, -1}},
    {"receive_bytes", {kLinkRxBytes, -1}},           {"transmit_bytes", {kLinkTxBytes, -1}},
    {"receive_errors", {kLinkRxErrors, -1}},         {"transmit_errors", {kLinkTxErrors, -1}},
    {"receive_dropped", {kLinkRxDropped, -1}},       {"transmit_dropped", {kLinkTxDropped, -1}},
    {"multicast", {kLinkMulticast, -1}},             {"collisions", {kLinkCollisions, -1}},
    {"receive_length_errors", {kLinkRxLengthErrors, -1}}, {"receive_over_errors", {kLinkRxOverErrors, -1}},
    {"receive_crc_errors", {kLinkRxCrcErrors, -1}},  {"receive_frame_errors", {kLinkRxFrameErrors, -1}},
    {"receive_fifo_errors", {kLinkRxFifoErrors, -1}}, {"receive_missed_errors", {kLinkRxMissedErrors, -1}},
    {"transmit_aborted_errors", {kLinkTxAbortedErrors, -1}}, {"transmit_carrier_errors", {kLinkTxCarrierErrors, -1}},
    {"transmit_fifo_errors", {kLinkTxFifoErrors, -1}}, {"transmit_heartbeat_errors", {kLinkTxHeartbeatErrors, -1}},
    {"transmit_window_errors", {kLinkTxWindowErrors, -1}}, {"receive_compressed", {kLinkRxCompressed, -1}},
    {"transmit_compressed", {kLinkTxCompressed, -1}}, {"receive_nohandler", {kLinkRxNoHandler, -1}},
};
// By /proc/net/dev: its columns under legacy and under detailed names.
constexpr std::string_view kFileKeys[kNetDevColumns] = {
    "receive_bytes", "receive_packets", "receive_errs", "receive_drop", "receive_fifo", "receive_frame", "receive_compressed", "receive_multicast",
    "transmit_bytes", "transmit_packets", "transmit_errs", "transmit_drop", "transmit_fifo", "transmit_colls", "transmit_carrier", "transmit_compressed"};
constexpr std::string_view kDetailedFileKeys[kNetDevColumns] = {
    "receive_bytes", "receive_packets", "receive_errors", "receive_dropped", "receive_fifo", "receive_frame", "receive_compressed", "receive_multicast",
    "transmit_bytes", "transmit_packets", "transmit_errors", "transmit_dropped", "transmit_fifo", "transmit_colls", "transmit_carrier", "transmit_compressed"};

class NetdevCollector : public Collector {
 public:
  static Result<std::unique_ptr<Collector>> Make(const NodeOptions& options) {
    auto c = std::make_unique<NetdevCollector>(options);
    FilterOptions devices = options.net_devices;
    devices.exclude_set = !devices.exclude.empty();  // there is no default to give way
    PROM_ASSIGN(c->filter_, DeviceFilter::Make(devices, "collector.netdev.device"));
    return std::unique_ptr<Collector>(std::move(c));
  }

  explicit NetdevCollector(const NodeOptions& options)
      : netlink_wanted_(options.net_netlink),
        alias_wanted_(options.net_label_ifalias),
        addresses_wanted_(options.net_address_info),
        detailed_(options.net_detailed),
        file_(JoinPath(options.procfs, "net/dev")),
        class_dir_(JoinPath(options.sysfs, "class/net")) {}

  Result<void> Update(Scrape& scrape, Page* page) override {
    // Devices are asked for by netlink for their names' sake too, when addresses are wanted.
    std::vector<Link> links;
    if (netlink_wanted_ || addresses_wanted_) PROM_TRY(netlink_.Links(&links));
    Result<void> counted;
    if (netlink_wanted_) {
      WriteLinks(links, page);
    } else {
      counted = WriteFile(scrape, page);
    }
    Result<void> addressed;
    if (addresses_wanted_) addressed = WriteAddresses(links, page);
    return counted ? addressed : counted;
  }

 private:
  struct Device {
    std::string name, alias;
    const std::uint64_t* values;
  };

  void WriteDevices(std::vector<Device>* devices, const Family* families, std::size_t count, Page* page) {
    std::sort(devices->begin(), devices->end(), [](const Device& a, const Device& b) { return a.name < b.name; });
    std::string name, help;
    for (std::size_t i = 0; i < count; ++i) {
      const Family& f = families[i];
      name.assign("node_network_").append(f.key).append("_total");
      help.assign("Network device statistic ").append(f.key).append(".");
      page->Family(name, help, kCounter);
      for (const Device& d : *devices) {
        std::uint64_t sum = 0;
        for (const int* part = f.parts; *part >= 0; ++part) sum += d.values[*part];
        const double value = static_cast<double>(sum);
        if (alias_wanted_) {
          page->Sample({{"device", d.name}, {"ifalias", d.alias}}, value);
        } else {
          page->Sample({{"device", d.name}}, value);
        }
      }
    }
  }

  void WriteLinks(const std::vector<Link>& links, Page* page) {
    std::vector<Device> devices;
    for (const Link& link : links)
      if (link.has_counters && !filter_.Ignored(link.name)) devices.push_back({ToValidUtf8(link.name), ToValidUtf8(link.alias), link.counters.data()});
    if (detailed_) {
      WriteDevices(&devices, kDetailedLinkFamilies, std::size(kDetailedLinkFamilies), page);
    } else {
      WriteDevices(&devices, kLinkFamilies, std::size(kLinkFamilies), page);
    }
  }

  Result<void> WriteFile(Scrape& scrape, Page* page) {
    PROM_ASSIGN(const std::string_view text, file_.Read(scrape.buffer));
    std::vector<NetDevLine> lines;
    Result<void> parsed = ParseNetDev(text, &lines);
    if (!parsed) parsed = parsed.error().Wrap(file_.path() + ":");
    std::vector<Device> devices;
    for (const NetDevLine& line : lines)
      if (!filter_.Ignored(line.name)) devices.push_back({ToValidUtf8(line.name), "", line.values.data()});
    if (alias_wanted_) {
      for (Device& d : devices)
        if (auto alias = ProcFile(class_dir_ + "/" + d.name + "/ifalias").Read(scrape.buffer)) d.alias = ToValidUtf8(TrimSpace(*alias));
    }
    Family families[kNetDevColumns];
    for (int i = 0; i < kNetDevColumns; ++i) families[i] = {detailed_ ? kDetailedFileKeys[i] : kFileKeys[i], {i, -1}};
    WriteDevices(&devices, families, std::size(families), page);
    return parsed;
  }

  Result<void> WriteAddresses(const std::vector<Link>& links, Page* page) {
    std::vector<Address> addresses;
    PROM_TRY(netlink_.Addresses(&addresses));
    struct Row {
      std::string address, device, netmask;
      std::string_view scope;
      auto Key() const { return std::tie(address, device, netmask, scope); }
    };
    std::vector<Row> rows;
    for (const Address& a : addresses) {
      const auto link = std::find_if(links.begin(), links.end(), [&](const Link& l) { return l.index == a.link_index; });
      if (link == links.end() || filter_.Ignored(link->name)) continue;
      rows.push_back({a.address, ToValidUtf8(link->name), std::to_string(a.prefix_length), a.scope});
    }
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.Key() < b.Key(); });
    rows.erase(std::unique(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.Key() == b.Key(); }), rows.end());
    page->Family("node_network_address_info", "node network address by device", kGauge);
    for (const Row& r : rows) page->Sample({{"address", r.address}, {"device", r.device}, {"netmask", r.netmask}, {"scope", r.scope}}, 1);
    return {};
  }

  const bool netlink_wanted_, alias_wanted_, addresses_wanted_, detailed_;
  ProcFile file_;
  const std::string class_dir_;
  DeviceFilter filter_;
  Netlink netlink_;
};

}  // namespace

Result<std::unique_ptr<Collector>> MakeNetdevCollector(const NodeOptions& options) { return NetdevCollector::Make(options); }

}  // namespace prom::node
