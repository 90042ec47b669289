// Parsers of /proc files: what each format means (proc(5), kernel documentation),
// and what is left of a file with a bad line.
#include <boost/test/unit_test.hpp>

#include "node/netlink.h"
#include "node/parse_cpuinfo.h"
#include "node/parse_mountinfo.h"
#include "node/parse_proc.h"
#include "node/parse_stat.h"
#include "node/udev_data.h"

using namespace prom;
using namespace prom::node;

BOOST_AUTO_TEST_CASE(kernel_stat) {
  KernelStat s;
  BOOST_REQUIRE(ParseKernelStat("cpu  9 9 9 9 9 9 9 9 9 9\n"
                                "cpu10 1 2 3 4 5 6 7 8 9 10\n"
                                "cpu2 11 12 13 14\n"  // Linux 2.4: four columns
                                "intr 77 1 2 3\nctxt 5\nbtime 1418183276\nprocesses 26442\nprocs_running 2\nprocs_blocked 1\n"
                                "softirq 100 1 2 3 4 5 6 7 8 9 10\nlater 1 2\n",
                                &s));
  BOOST_REQUIRE_EQUAL(s.cpus.size(), 2u);
  BOOST_TEST(s.cpus[0].id == 2u);
  BOOST_TEST(s.cpus[0].ticks[3] == 14u);
  BOOST_TEST(s.cpus[0].ticks[4] == 0u);
  BOOST_TEST(s.cpus[1].id == 10u);
  BOOST_TEST(s.cpus[1].ticks[9] == 10u);
  BOOST_TEST(s.interrupts == 77u);
  BOOST_TEST(s.context_switches == 5u);
  BOOST_TEST(s.boot_time_s == 1418183276u);
  BOOST_TEST(s.forks == 26442u);
  BOOST_TEST(s.procs_running == 2u);
  BOOST_TEST(s.procs_blocked == 1u);
  BOOST_TEST(s.softirqs[0] == 1u);
  BOOST_TEST(s.softirqs[9] == 10u);
}

BOOST_AUTO_TEST_CASE(kernel_stat_keeps_good_lines) {
  struct Row {
    const char* text;
    const char* error;  // how the message begins
    std::size_t cpus;
    std::uint64_t switches;
  };
  static const Row kRows[] = {
      {"", "", 0, 0},
      {"cpu0 1 2 3 x\ncpu1 1 2 3 4\nctxt 7\n", "1: bad number", 1, 7},
      {"cpu0\nctxt 7\n", "1: bad number", 0, 7},
      {"cpux 1 2 3 4\nctxt 7\n", "1: bad CPU number", 0, 7},
      {"cpu99999999999999999999 1\nctxt 7\n", "1: bad CPU number", 0, 7},
      {"cpu65536 1\nctxt 7\n", "1: bad CPU number", 0, 7},
      {"cpu0 1 2 3 4\nctxt -7\n", "2: bad number", 1, 0},
      {"cpu0 1 2 3 4\nctxt", "2: bad number", 1, 0},
      {"cpu0 1 2 3 4\ncpu0 5 6 7 8\nctxt 18446744073709551615", "", 1, 18446744073709551615u},
      {"cpu0 1 2 3 4\nctxt 18446744073709551616", "2: bad number", 1, 0},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT("text=" << row.text) {
      KernelStat s;
      s.context_switches = 99;  // of the last scrape: must not shine through
      const auto done = ParseKernelStat(row.text, &s);
      BOOST_TEST(bool(done) == (*row.error == 0));
      if (!done) BOOST_TEST(done.error().message.starts_with(row.error));
      BOOST_TEST(s.cpus.size() == row.cpus);
      BOOST_TEST(s.context_switches == row.switches);
    }
  }
}

BOOST_AUTO_TEST_CASE(meminfo) {
  std::vector<MeminfoField> fields;
  BOOST_REQUIRE(ParseMeminfo("MemTotal:        3742148 kB\nActive(anon):    2020004 kB\nHugePages_Total:       3\n\n", &fields));
  BOOST_REQUIRE_EQUAL(fields.size(), 3u);
  BOOST_TEST(fields[0].value == 3742148.0 * 1024);
  BOOST_TEST(fields[0].bytes);
  BOOST_TEST(fields[1].name == "Active(anon)");
  BOOST_TEST(fields[2].value == 3);
  BOOST_TEST(!fields[2].bytes);
  for (const char* bad : {"MemTotal 5 kB\n", "MemTotal: x kB\n", "MemTotal: 5 MB\n", "MemTotal:\n", ": 5 kB\n", "MemTotal: -1 kB\n"}) {
    BOOST_TEST_CONTEXT("line=" << bad) {
      const auto done = ParseMeminfo(std::string(bad) + "MemFree: 1 kB\n", &fields);
      BOOST_TEST(!done);
      BOOST_TEST(fields.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(vmstat) {
  std::vector<VmstatField> fields;
  BOOST_REQUIRE(ParseVmstat("pgpgin 7344136\noom_kill 0", &fields));
  BOOST_REQUIRE_EQUAL(fields.size(), 2u);
  BOOST_TEST(fields[0].value == 7344136);
  BOOST_TEST(!ParseVmstat("pgpgin\nx 1\n", &fields));
  BOOST_TEST(fields.size() == 1u);
}

BOOST_AUTO_TEST_CASE(net_dev) {
  const std::string heading = "Inter-|   Receive |  Transmit\n face |bytes |bytes\n";
  std::vector<NetDevLine> lines;
  // Names are views into the text, so it has a name here.
  const std::string text = heading + "  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\neth0:1: 10 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  BOOST_REQUIRE(ParseNetDev(text, &lines));
  BOOST_REQUIRE_EQUAL(lines.size(), 2u);
  BOOST_TEST(lines[0].name == "eth0");
  BOOST_TEST(lines[0].values[kRxBytes] == 1u);
  BOOST_TEST(lines[0].values[kRxMulticast] == 8u);
  BOOST_TEST(lines[0].values[kTxBytes] == 9u);
  BOOST_TEST(lines[0].values[kTxCompressed] == 16u);
  BOOST_TEST(lines[1].name == "eth0:1");
  for (const char* bad : {"eth0 1 2\n", "eth0: 1 2 3\n", ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", "e: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 x\n"}) {
    BOOST_TEST_CONTEXT("line=" << bad) {
      BOOST_TEST(!ParseNetDev(heading + bad + "lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", &lines));
      BOOST_TEST(lines.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(diskstats) {
  std::vector<DiskLine> disks;
  BOOST_REQUIRE(ParseDiskstats("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11\n"
                               " 259       1 nvme0n1p1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n"  // a kernel to come
                               "   3       1 hda1 1 2 3 4\n",                                             // Linux 2.6 partition
                               &disks));
  BOOST_REQUIRE_EQUAL(disks.size(), 2u);
  BOOST_TEST(disks[0].name == "sda");
  BOOST_TEST(disks[0].count == 11u);
  BOOST_TEST(disks[0].values[10] == 11u);
  BOOST_TEST(disks[1].major == 259u);
  BOOST_TEST(disks[1].count == 17u);
  for (const char* bad : {"8 0\n", "8 x sda 1 2 3 4 5 6 7 8 9 10 11\n", "4294967296 0 sda 1 2 3 4 5 6 7 8 9 10 11\n", "8 0 sda 1 2 3 4 5 6 7 8 9 10 -11\n"}) {
    BOOST_TEST_CONTEXT("line=" << bad) {
      BOOST_TEST(!ParseDiskstats(std::string(bad) + "8 0 sdb 1 2 3 4 5 6 7 8 9 10 11\n", &disks));
      BOOST_TEST(disks.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(pressure) {
  PressureTotals p;
  BOOST_REQUIRE(ParsePressure("some avg10=0.18 avg60=0.34 avg300=0.10 total=159886802\nfull avg10=0.18 avg60=0.34 avg300=0.10 total=159229614", &p));
  BOOST_TEST(p.has_some);
  BOOST_TEST(p.some_us == 159886802u);
  BOOST_TEST(p.full_us == 159229614u);
  BOOST_REQUIRE(ParsePressure("full avg10=0.00 total=8494\nwhole total=1\n", &p));
  BOOST_TEST(!p.has_some);
  BOOST_TEST(p.has_full);
  BOOST_TEST(!ParsePressure("some avg10=0.00\nfull total=x\n", &p));
  BOOST_TEST(!p.has_some);
  BOOST_TEST(!p.has_full);
}

BOOST_AUTO_TEST_CASE(loadavg_and_file_nr) {
  const auto loads = ParseLoadavg("0.21 0.37 0.39 1/719 19737\n");
  BOOST_REQUIRE(loads);
  BOOST_TEST((*loads)[0] == 0.21);
  BOOST_TEST((*loads)[2] == 0.39);
  for (const char* bad : {"", "0.1 0.2", "a b c", "\n0.1 0.2 0.3"}) BOOST_TEST_CONTEXT(bad) BOOST_TEST(!ParseLoadavg(bad));
  const auto nr = ParseFileNr("1024\t0\t1631329\n");
  BOOST_REQUIRE(nr);
  BOOST_TEST(nr->allocated == 1024);
  BOOST_TEST(nr->maximum == 1631329);
  for (const char* bad : {"", "1024", "1024 0", "x 0 1"}) BOOST_TEST_CONTEXT(bad) BOOST_TEST(!ParseFileNr(bad));
}

BOOST_AUTO_TEST_CASE(mountinfo) {
  std::vector<Mount> m;
  BOOST_REQUIRE(ParseMountinfo("36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue\n"
                               "37 35 0:5 / /a ro,relatime - tmpfs  rw\n"  // no optional fields, no source
                               "38 35 8:1 / /b rw - ext4 /dev/sda1 rw,emergency_ro\n"
                               "39 35 8:1 / /c\\012d rw,errors=ro2 - ext4 /dev/sda1 rw\n",
                               &m));
  BOOST_REQUIRE_EQUAL(m.size(), 4u);
  BOOST_TEST(m[0].major == 98u);
  BOOST_TEST(m[0].mount_point == "/mnt 2\\x");
  BOOST_TEST(m[0].device == "/dev/root");
  BOOST_TEST(m[0].fs_type == "ext3");
  BOOST_TEST(!m[0].read_only);
  BOOST_TEST(m[1].device == "");
  BOOST_TEST(m[1].read_only);
  BOOST_TEST(m[2].read_only);
  BOOST_TEST(m[3].mount_point == "/c\nd");
  BOOST_TEST(!m[3].read_only);
  for (const char* bad : {"36 35 98:0 /mnt1 /mnt2 rw", "36 35 980 / /mnt2 rw - ext3 /dev/root rw", "36 35 98:0 / /mnt2 rw - ext3", "x", " ",
                          "36 35 -1:0 / /mnt2 rw - ext3 d rw", "36 35 98:4294967296 / /mnt2 rw - ext3 d rw"}) {
    BOOST_TEST_CONTEXT("line=" << bad) {
      BOOST_TEST(!ParseMountinfo(std::string(bad) + "\n38 35 8:1 / /b rw - ext4 /dev/sda1 rw\n", &m));
      BOOST_TEST(m.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(cpu_lists) {
  struct Row {
    const char* text;
    std::vector<std::uint32_t> want;
  };
  static const Row kGood[] = {{"", {}}, {"\n", {}}, {"7\n", {7}}, {"1,3-5,9\n", {1, 3, 4, 5, 9}}, {"5-3", {}}};
  for (const Row& row : kGood) {
    BOOST_TEST_CONTEXT("text=" << row.text) {
      const auto got = ParseCpuList(row.text);
      BOOST_REQUIRE(got);
      BOOST_TEST(*got == row.want, boost::test_tools::per_element());
    }
  }
  for (const char* bad : {"x", "1-", "-1", "1-x", "0-4294967295", "70000", "1--3"}) BOOST_TEST_CONTEXT(bad) BOOST_TEST(!ParseCpuList(bad));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "0-65535,";
  BOOST_TEST(!ParseCpuList(many));
}

BOOST_AUTO_TEST_CASE(cpuinfo) {
  std::vector<CpuInfo> cpus;
  BOOST_REQUIRE(ParseCpuinfo("processor\t: 0\nmodel name\t: A: B\ncpu MHz\t\t: 799.998\nflags\t\t: a b\npower management:\n\nprocessor\t: 1\n", &cpus));
  BOOST_REQUIRE_EQUAL(cpus.size(), 2u);
  BOOST_TEST(cpus[0].model_name == "A: B");
  BOOST_TEST(cpus[0].mhz == 799.998);
  BOOST_TEST(cpus[0].flags == "a b");
  BOOST_TEST(cpus[1].processor == 1u);
  BOOST_TEST(!ParseCpuinfo("processor\t: x\nprocessor\t: 1\ncpu MHz : y\n", &cpus));
  BOOST_TEST(cpus.size() == 1u);
}

BOOST_AUTO_TEST_CASE(udev_properties) {
  const UdevProperties u = ParseUdevProperties("S:disk/x\nE:ID_MODEL=A B\nE:ID_MODEL_ENC=A\\x20B\nE:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\n"
                                               "E:ID_ATA_ROTATION_RATE_RPM=x\nE:ID_SERIAL\nE:=y\nE:ID_WWN=\xff\nE:DM_NAME=a=b\n");
  BOOST_TEST(u.model == "A B");
  BOOST_TEST(u.ata);
  BOOST_TEST((u.ata_write_cache == 1.0));
  BOOST_TEST(!u.ata_rotation_rate_rpm);
  BOOST_TEST(u.serial == "");
  BOOST_TEST(u.wwn == "\xef\xbf\xbd");
  BOOST_TEST(u.dm_name == "a=b");
}

namespace {

// Netlink messages put together by hand, as linux/rtnetlink.h lays them out.
std::string Bytes(const void* p, std::size_t n) { return std::string(static_cast<const char*>(p), n); }
std::string Attribute(std::uint16_t type, std::string payload) {
  const std::uint16_t header[2] = {static_cast<std::uint16_t>(4 + payload.size()), type};
  payload.resize((payload.size() + 3) / 4 * 4);
  return Bytes(header, 4) + payload;
}
std::string Message(std::uint16_t type, const std::string& payload) {
  const std::uint32_t length = static_cast<std::uint32_t>(16 + payload.size());
  const std::uint16_t kind[2] = {type, 2};
  return Bytes(&length, 4) + Bytes(kind, 4) + std::string(8, '\0') + payload;
}

}  // namespace

BOOST_AUTO_TEST_CASE(netlink_links) {
  std::string info(16, '\0');  // struct ifinfomsg
  info[4] = 7;                 // ifi_index
  std::uint64_t wide[25];
  std::uint32_t narrow[24];
  for (std::uint32_t i = 0; i < 25; ++i) wide[i] = 5'000'000'000u + i;
  for (std::uint32_t i = 0; i < 24; ++i) narrow[i] = i;
  const std::string name = Attribute(3, std::string("eth0\0", 5));
  const std::string dump = Message(16, info + name + Attribute(7, Bytes(narrow, sizeof narrow)) + Attribute(23, Bytes(wide, sizeof wide)) +
                                           Attribute(20, std::string("up\0", 3))) +
                           Message(16, info + name + Attribute(7, Bytes(narrow, sizeof narrow))) +  // a kernel without 64-bit counters
                           Message(16, info + name) + Message(3, std::string(4, '\0')) + Message(16, info + name);
  std::vector<Link> links;
  bool done = false;
  BOOST_REQUIRE(ParseLinks(dump, &links, &done));
  BOOST_TEST(done);
  BOOST_REQUIRE_EQUAL(links.size(), 3u);  // what follows the end does not count
  BOOST_TEST(links[0].index == 7);
  BOOST_TEST(links[0].name == "eth0");
  BOOST_TEST(links[0].alias == "up");
  BOOST_TEST(links[0].counters[kLinkRxPackets] == 5'000'000'000u);
  BOOST_TEST(links[0].counters[kLinkRxNoHandler] == 5'000'000'023u);
  BOOST_TEST(links[1].counters[kLinkTxBytes] == 3u);
  BOOST_TEST(!links[2].has_counters);
  // Cut anywhere: no crash, and never more than is there.
  for (std::size_t n = 0; n < dump.size(); ++n) {
    links.clear();
    done = false;
    BOOST_TEST(bool(ParseLinks(std::string_view(dump).substr(0, n), &links, &done)));
    BOOST_TEST(links.size() <= 3u);
  }
  const std::int32_t refused = -1;  // EPERM
  const auto error = ParseLinks(Message(2, Bytes(&refused, 4)), &links, &done);
  BOOST_REQUIRE(!error);
  BOOST_TEST(error.error().message.find("Operation not permitted") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(netlink_addresses) {
  struct Row {
    unsigned char family;
    std::string ip;
    const char* text;
    const char* scope;
  };
  const auto v6 = [](std::initializer_list<int> first, int last) {
    std::string ip(16, '\0');
    std::size_t i = 0;
    for (int b : first) ip[i++] = static_cast<char>(b);
    ip[15] = static_cast<char>(last);
    return ip;
  };
  const Row kRows[] = {
      {2, std::string("\x7f\0\0\1", 4), "127.0.0.1", "link-local"},
      {2, "\xa9\xfe\x01\x02", "169.254.1.2", "link-local"},
      {2, "\xc0\xa8\x01\x02", "192.168.1.2", "global"},  // as Go's IsGlobalUnicast has it
      {2, std::string(4, '\0'), "0.0.0.0", ""},
      {2, "\xff\xff\xff\xff", "255.255.255.255", ""},
      {10, v6({}, 1), "::1", "link-local"},
      {10, v6({0xfe, 0x80}, 5), "fe80::5", "link-local"},
      {10, v6({0x20, 1, 0xd, 0xb8}, 5), "2001:db8::5", "global"},
      {10, v6({0xff, 1}, 5), "ff01::5", "interface-local"},
      {10, v6({0xff, 2}, 5), "ff02::5", "link-local"},
      {10, v6({0xff, 5}, 5), "ff05::5", ""},
  };
  for (const Row& row : kRows) {
    BOOST_TEST_CONTEXT(row.text) {
      const char info[8] = {static_cast<char>(row.family), 24, 0, 0, 2, 0, 0, 0};
      std::vector<Address> got;
      bool done = false;
      BOOST_REQUIRE(ParseAddresses(Message(20, Bytes(info, 8) + Attribute(1, row.ip)), &got, &done));
      BOOST_REQUIRE_EQUAL(got.size(), 1u);
      BOOST_TEST(got[0].address == row.text);
      BOOST_TEST(got[0].scope == row.scope);
      BOOST_TEST(got[0].prefix_length == 24);
    }
  }
  // Point to point: our end, not the other.
  const char info[8] = {2, 32, 0, 0, 2, 0, 0, 0};
  std::vector<Address> got;
  bool done = false;
  BOOST_REQUIRE(ParseAddresses(Message(20, Bytes(info, 8) + Attribute(1, "\x0a\x01\x01\x02") + Attribute(2, "\x0a\x01\x01\x01")), &got, &done));
  BOOST_REQUIRE_EQUAL(got.size(), 1u);
  BOOST_TEST(got[0].address == "10.1.1.1");
}
