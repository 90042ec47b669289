// Costs of the store, beside budgets and peers.
//
//   bench_store [series]     series of the large index; default 1,000,000
#include "store_block_bench.h"

int main(int argc, char** argv) {
  std::string dir = (std::filesystem::temp_directory_path() / "promkit-bench-XXXXXX").string();
  if (::mkdtemp(dir.data()) == nullptr) return 1;
  std::printf("%-52s %10s %-8s %-28s %s\n", "name", "ours", "", "peer or floor", "budget");
  prom::store::block_bench::Run(argc > 1 ? std::atoi(argv[1]) : 1'000'000, dir);
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  return 0;
}
