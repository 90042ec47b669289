#include "store/control_page.h"

#include <atomic>
#include <cstring>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/lost_pages.h"
#include "store/file_header.h"

namespace prom::store {

namespace {

constexpr std::size_t kPageSize = 4096;
constexpr std::string_view kMagic = "PKCTRL";
// Offsets in the page. Each number has a cache line of its own.
constexpr std::size_t kWriterAt = 64;      // boot id (40 bytes), u64 pid, u32 clean, u32 crc
constexpr std::size_t kCommittedAt = 128;  // {u64 number, u64 check} twice
constexpr std::size_t kGenerationAt = 192;
constexpr std::size_t kBootIdSize = 40;
constexpr std::size_t kWriterCrcAt = kWriterAt + kBootIdSize + 12;

std::uint64_t Check(std::uint64_t number) { return (number * 0x9e3779b97f4a7c15ull) ^ 0x70726f6d6b697421ull; }

using Atomic = std::atomic_ref<std::uint64_t>;
std::uint64_t& Word(char* page, std::size_t at) { return *reinterpret_cast<std::uint64_t*>(page + at); }

// A slot that was never written is two zero words: number 0.
bool LoadSlot(char* page, std::size_t at, std::uint64_t* number) {
  *number = Atomic(Word(page, at)).load(std::memory_order_acquire);
  const std::uint64_t check = Atomic(Word(page, at + 8)).load(std::memory_order_acquire);
  if (*number == 0 && check == 0) return true;
  // The number may have moved on between the two loads.
  return check == Check(*number) && Atomic(Word(page, at)).load(std::memory_order_acquire) == *number;
}

std::uint64_t LoadNewest(char* page, std::size_t at, bool* intact) {
  std::uint64_t best = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::uint64_t a = 0, b = 0;
    const bool a_ok = LoadSlot(page, at, &a), b_ok = LoadSlot(page, at + 16, &b);
    best = std::max(a_ok ? a : 0, b_ok ? b : 0);
    *intact = a_ok && b_ok;
    if (*intact) return best;
  }
  return best;
}

// The older or broken slot takes the new number; check first zeroed so that no
// reader pairs the new number with an old check by chance.
void StoreNewest(char* page, std::size_t at, std::uint64_t number) {
  std::uint64_t a = 0, b = 0;
  const bool a_ok = LoadSlot(page, at, &a), b_ok = LoadSlot(page, at + 16, &b);
  const std::size_t slot = !a_ok || (b_ok && a <= b) ? at : at + 16;
  Atomic(Word(page, slot + 8)).store(~Check(number), std::memory_order_release);
  Atomic(Word(page, slot)).store(number, std::memory_order_release);
  Atomic(Word(page, slot + 8)).store(Check(number), std::memory_order_release);
}

}  // namespace

Result<std::shared_ptr<ControlPage>> ControlPage::OpenRead(Io& io, const std::string& data_dir) {
  const std::string path = JoinPath(data_dir, "CURRENT");
  auto page = std::shared_ptr<ControlPage>(new ControlPage());
  PROM_ASSIGN(page->file_, io.Open(path, Io::Mode::kRead));
  PROM_ASSIGN(const std::uint64_t size, page->file_->Size());
  if (size < kPageSize) return Error{Errc::kCorrupt, path + ": " + std::to_string(size) + " bytes instead of 4096"};
  PROM_ASSIGN(page->mapping_, page->file_->Map(kPageSize));
  PROM_TRY(CheckFileHeader(page->mapping_.bytes(), kMagic, path));
  // Only loads go through this pointer: set_* are the writer's.
  page->page_ = const_cast<char*>(page->mapping_.data());
  return page;
}

Result<std::shared_ptr<ControlPage>> ControlPage::OpenWrite(Io& io, const std::string& data_dir) {
  const std::string path = JoinPath(data_dir, "CURRENT");
  auto page = std::shared_ptr<ControlPage>(new ControlPage());
  PROM_ASSIGN(const bool exists, io.Exists(path));
  if (!exists) {
    std::string bytes = FileHeader(kMagic);
    bytes.resize(kPageSize, '\0');
    PROM_TRY(WriteFileAtomic(io, path, bytes));
  }
  PROM_ASSIGN(page->file_, io.Open(path, Io::Mode::kReadWrite));
  PROM_ASSIGN(const std::uint64_t size, page->file_->Size());
  if (size < kPageSize) return Error{Errc::kCorrupt, path + ": " + std::to_string(size) + " bytes instead of 4096"};
  PROM_ASSIGN(page->shared_, page->file_->MapShared(kPageSize));
  page->page_ = static_cast<char*>(page->shared_);
  PROM_TRY(CheckFileHeader({page->page_, kPageSize}, kMagic, path));
  return page;
}

std::uint64_t ControlPage::committed_seq() const {
  bool intact = true;
  return LoadNewest(page_, kCommittedAt, &intact);
}
std::uint64_t ControlPage::generation() const {
  bool intact = true;
  return LoadNewest(page_, kGenerationAt, &intact);
}
bool ControlPage::intact() const {
  bool committed = true, generation = true;
  LoadNewest(page_, kCommittedAt, &committed);
  LoadNewest(page_, kGenerationAt, &generation);
  return committed && generation && !BytesLost(page_, kPageSize);
}
bool ControlPage::generation_intact() const {
  bool intact = true;
  LoadNewest(page_, kGenerationAt, &intact);
  return intact && !BytesLost(page_, kPageSize);
}
bool ControlPage::lost() const {
  (void)committed_seq();  // touches it
  return BytesLost(page_, kPageSize);
}
void ControlPage::set_committed_seq(std::uint64_t seq) { StoreNewest(page_, kCommittedAt, seq); }
void ControlPage::set_generation(std::uint64_t generation) { StoreNewest(page_, kGenerationAt, generation); }

std::string ControlPage::boot_id() const {
  if (Crc32c(page_ + kWriterAt, kBootIdSize + 12) != LoadLe<std::uint32_t>(page_ + kWriterCrcAt)) return "";
  return std::string(page_ + kWriterAt, ::strnlen(page_ + kWriterAt, kBootIdSize));
}
bool ControlPage::clean() const { return !boot_id().empty() && LoadLe<std::uint32_t>(page_ + kWriterAt + kBootIdSize + 8) == 1; }
std::uint64_t ControlPage::writer_pid() const { return boot_id().empty() ? 0 : LoadLe<std::uint64_t>(page_ + kWriterAt + kBootIdSize); }

void ControlPage::SetWriter(const std::string& boot_id, std::uint64_t pid, bool clean) {
  char part[kBootIdSize + 16] = {};
  std::memcpy(part, boot_id.data(), std::min(boot_id.size(), kBootIdSize));
  StoreLe<std::uint64_t>(part + kBootIdSize, pid);
  StoreLe<std::uint32_t>(part + kBootIdSize + 8, clean ? 1 : 0);
  StoreLe<std::uint32_t>(part + kBootIdSize + 12, Crc32c(part, kBootIdSize + 12));
  std::memcpy(page_ + kWriterAt, part, sizeof part);
}

Result<void> ControlPage::Sync() {
  return file_->Sync();  // fdatasync writes what the mapping has changed, too
}

std::string CurrentBootId() {
  auto text = ReadFile(SystemIo(), "/proc/sys/kernel/random/boot_id", 4096);
  if (!text) return "unknown";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return *text;
}

}  // namespace prom::store
