#include "base/unix_socket.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../testing.h"

namespace prom {
namespace {

struct Fixture {
  testing::TempDir dir;
  const std::string path = dir / "a.sock";
};

BOOST_FIXTURE_TEST_SUITE(unix_socket, Fixture)

BOOST_AUTO_TEST_CASE(unix_socket_of_a_process_that_was_killed_is_replaced) {
  const auto first = ListenUnix(path, 1);
  BOOST_REQUIRE(first);
  ::close(*first);  // not unlinked, as by SIGKILL
  const auto nobody = ConnectUnix(path);
  BOOST_REQUIRE(!nobody);
  BOOST_CHECK(nobody.error().code == Errc::kUnavailable);

  const auto second = ListenUnix(path, 1);
  BOOST_REQUIRE(second);
  struct stat st {};
  BOOST_REQUIRE_EQUAL(::stat(path.c_str(), &st), 0);
  BOOST_CHECK_EQUAL(st.st_mode & 07777, 0660u);
  const auto client = ConnectUnix(path);
  BOOST_REQUIRE(client);
  const int served = ::accept(*second, nullptr, nullptr);
  BOOST_REQUIRE_GE(served, 0);
  BOOST_CHECK_EQUAL(::send(*client, "x", 1, 0), 1);
  char byte = 0;
  BOOST_CHECK_EQUAL(::recv(served, &byte, 1, 0), 1);
  BOOST_CHECK_EQUAL(byte, 'x');
  for (const int fd : {*second, *client, served}) ::close(fd);
}

BOOST_AUTO_TEST_CASE(unix_socket_leaves_other_files_alone) {
  std::ofstream(path) << "kept";
  const auto fd = ListenUnix(path, 1);
  BOOST_REQUIRE(!fd);
  BOOST_CHECK(fd.error().message.find("in the way") != std::string::npos);
  std::string text;
  std::ifstream(path) >> text;
  BOOST_CHECK_EQUAL(text, "kept");
}

BOOST_AUTO_TEST_CASE(unix_socket_paths_have_a_longest_length) {
  const std::string longest(200, 'x');
  for (const auto& fd : {ListenUnix(longest, 1), ConnectUnix(longest)}) {
    BOOST_REQUIRE(!fd);
    BOOST_CHECK(fd.error().code == Errc::kInvalid);
    BOOST_CHECK(fd.error().message.find("too long") != std::string::npos);
  }
  const auto away = ConnectUnix(path);
  BOOST_REQUIRE(!away);
  BOOST_CHECK(away.error().code == Errc::kNotFound);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace prom
