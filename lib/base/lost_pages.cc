// The registry is read by a signal handler, so it consists of atomics in chunks that
// are linked once and never freed; a slot is free when its base is 0.
#include "base/lost_pages.h"

#include <csignal>
#include <cstring>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "base/mutex.h"

namespace prom {

namespace {

constexpr std::size_t kSlots = 128, kPathBytes = 240, kMaxLost = 256;

struct Slot {
  std::atomic<std::uintptr_t> base{0};
  std::atomic<std::size_t> size{0};
  std::atomic<bool> writable{false};
  char path[kPathBytes] = {};  // written before base is
};
struct Chunk {
  Slot slots[kSlots];
  std::atomic<Chunk*> next{nullptr};
};
struct Lost {
  std::atomic<std::uintptr_t> page{0};  // 0: being written, or its mapping is gone
  std::uint64_t offset = 0;
  char path[kPathBytes] = {};
};

Chunk first_chunk;
Mutex registry_mutex;  // around changes of the registry; the handler takes none
std::atomic<std::uint64_t> lost_count{0};
Lost lost[kMaxLost];  // beyond that, pages are lost but not told one by one
const std::size_t page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

Slot* Find(std::uintptr_t address) {
  for (Chunk* chunk = &first_chunk; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
    for (Slot& slot : chunk->slots) {
      const std::uintptr_t base = slot.base.load(std::memory_order_acquire);
      if (base != 0 && address >= base && address - base < slot.size.load(std::memory_order_relaxed)) return &slot;
    }
  }
  return nullptr;
}

// Async-signal-safe: atomics, memcpy, and mmap, which is a bare system call.
void OnSigbus(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  const Slot* slot = Find(address);
  if (slot != nullptr) {
    const std::uintptr_t page = address & ~static_cast<std::uintptr_t>(page_bytes - 1);
    const int protection = slot->writable.load(std::memory_order_relaxed) ? PROT_READ | PROT_WRITE : PROT_READ;
    if (::mmap(reinterpret_cast<void*>(page), page_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
      const std::uint64_t n = lost_count.fetch_add(1, std::memory_order_acq_rel);
      Lost& entry = lost[n % kMaxLost];
      entry.page.store(0, std::memory_order_release);
      entry.offset = page - slot->base.load(std::memory_order_relaxed);
      std::memcpy(entry.path, slot->path, sizeof entry.path);
      entry.page.store(page, std::memory_order_release);
      return;
    }
  }
  // Not ours: the access is tried again, and ends the process. Handlers that were there
  // before are not called: one that was put back by others may lead to this one again.
  ::signal(signal, SIG_DFL);
}

// Test frameworks and others set a handler for a while and put back the one before.
void Install() {
  struct sigaction now = {};
  if (::sigaction(SIGBUS, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == OnSigbus) return;
  struct sigaction action = {};
  action.sa_sigaction = OnSigbus;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

void RegisterMapping(void* base, std::size_t size, bool writable, const std::string& path) {
  MutexLock lock(registry_mutex);
  Install();
  Chunk* chunk = &first_chunk;
  while (true) {
    for (Slot& slot : chunk->slots) {
      if (slot.base.load(std::memory_order_relaxed) != 0) continue;
      // The end of a path says more than its beginning.
      const std::string_view tail = std::string_view(path).substr(path.size() < kPathBytes ? 0 : path.size() - kPathBytes + 1);
      std::memcpy(slot.path, tail.data(), tail.size());
      slot.path[tail.size()] = '\0';
      slot.size.store(size, std::memory_order_relaxed);
      slot.writable.store(writable, std::memory_order_relaxed);
      slot.base.store(reinterpret_cast<std::uintptr_t>(base), std::memory_order_release);
      return;
    }
    Chunk* next = chunk->next.load(std::memory_order_acquire);
    if (next == nullptr) {
      next = new Chunk();  // never freed: the handler may be walking along
      chunk->next.store(next, std::memory_order_release);
    }
    chunk = next;
  }
}

void UnregisterMapping(void* base) {
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  MutexLock lock(registry_mutex);
  for (Chunk* chunk = &first_chunk; chunk != nullptr; chunk = chunk->next.load(std::memory_order_acquire)) {
    for (Slot& slot : chunk->slots) {
      if (slot.base.load(std::memory_order_relaxed) != address) continue;
      const std::size_t size = slot.size.load(std::memory_order_relaxed);
      if (lost_count.load(std::memory_order_acquire) != 0) {  // the addresses may be mapped again for another file
        for (Lost& entry : lost) {
          const std::uintptr_t page = entry.page.load(std::memory_order_acquire);
          if (page >= address && page - address < size) entry.page.store(0, std::memory_order_release);
        }
      }
      slot.base.store(0, std::memory_order_release);
      return;
    }
  }
}

std::uint64_t LostPageCount() { return lost_count.load(std::memory_order_acquire); }

bool BytesLost(const void* p, std::size_t size) {
  const std::uint64_t count = lost_count.load(std::memory_order_acquire);
  if (count == 0 || size == 0) return false;
  const auto begin = reinterpret_cast<std::uintptr_t>(p);
  // More than are remembered: nothing that is mapped is taken on trust any more.
  if (count > kMaxLost) return Find(begin) != nullptr;
  for (const Lost& entry : lost) {
    const std::uintptr_t page = entry.page.load(std::memory_order_acquire);
    if (page != 0 && page < begin + size && begin < page + page_bytes) return true;
  }
  return false;
}

Error LostPageError() {
  const std::uint64_t count = lost_count.load(std::memory_order_acquire);
  if (count == 0) return {Errc::kIo, "no page was lost"};
  const Lost& entry = lost[(count - 1) % kMaxLost];
  return {Errc::kIo, std::string(entry.path) + ": byte " + std::to_string(entry.offset) + ": cannot be read; the medium is damaged or the file was cut off"};
}

}  // namespace prom
