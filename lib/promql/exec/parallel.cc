#include "promql/exec/parallel.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace prom::promql {

namespace {

// A thread costs some 20 us to start and a query that ends sooner than this gains nothing.
constexpr std::chrono::milliseconds kAlone{2};

// Steps that are handed from thread to thread at once: a lock and perhaps a wake-up each.
constexpr std::size_t kStepsAtOnce = 1024;

// The series to read: some, or all.
struct Numbers {
  const std::uint32_t* some = nullptr;
  std::size_t count = 0;
  std::size_t operator[](std::size_t i) const { return some != nullptr ? some[i] : i; }
};

// A ring of batches of columns: batch i is read into slot i % slots, and taken out in
// order by whichever thread happens to complete the next one.
class Ring {
 public:
  Ring(QueryContext& context, Operator& op, const Numbers& numbers, const ConsumeColumn& consume, std::size_t first, std::size_t slots)
      : context_(context), op_(op), numbers_(numbers), consume_(consume), first_(first),
        size_(std::clamp<std::size_t>(kStepsAtOnce / std::max<std::size_t>(op.grid().steps, 1), 1, 64)), count_((numbers.count - first + size_ - 1) / size_), slots_(slots) {
    for (Slot& slot : slots_) slot.columns.resize(size_);
  }

  void Work(std::size_t worker) {
    std::unique_lock lock(mutex_);
    for (;;) {
      room_.wait(lock, [&] { return done() || next_read_ < next_out_ + slots_.size(); });
      if (done()) return;
      const std::size_t i = next_read_++;
      Slot& slot = slots_[i % slots_.size()];
      lock.unlock();
      slot.outcome = ReadBatch(i, worker, &slot);
      lock.lock();
      slot.ready = true;
      if (!handing_out_) HandOut(lock);
    }
  }

  Result<void> outcome() const { return failed_ ? Result<void>(*failed_) : Result<void>(); }

 private:
  struct Slot {
    std::vector<StepColumn> columns;
    std::optional<Result<void>> outcome;
    bool ready = false;
  };

  std::size_t Begin(std::size_t batch) const { return first_ + batch * size_; }
  std::size_t End(std::size_t batch) const { return std::min(Begin(batch) + size_, numbers_.count); }

  Result<void> ReadBatch(std::size_t batch, std::size_t worker, Slot* slot) {
    for (std::size_t i = Begin(batch); i < End(batch); ++i) {
      PROM_TRY(context_.Check());
      PROM_TRY(op_.Read(context_, numbers_[i], worker, &slot->columns[i - Begin(batch)]));
    }
    return {};
  }

  bool done() const { return failed_ || next_read_ == count_; }

  void HandOut(std::unique_lock<std::mutex>& lock) {
    handing_out_ = true;
    while (next_out_ < count_ && !failed_) {
      Slot& slot = slots_[next_out_ % slots_.size()];
      if (!slot.ready) break;
      lock.unlock();
      Result<void> result = *slot.outcome;
      for (std::size_t i = Begin(next_out_); result && i < End(next_out_); ++i) result = consume_(numbers_[i], &slot.columns[i - Begin(next_out_)]);
      lock.lock();
      slot.ready = false;
      ++next_out_;
      if (!result) failed_ = result.error();
      room_.notify_all();
    }
    handing_out_ = false;
  }

  QueryContext& context_;
  Operator& op_;
  const Numbers numbers_;
  const ConsumeColumn& consume_;
  const std::size_t first_, size_, count_;  // place in numbers_; series of a batch; batches
  std::mutex mutex_;
  std::condition_variable room_;
  // All below guarded by mutex_, but for the columns and outcome of a slot that is being read or handed out.
  std::size_t next_read_ = 0, next_out_ = 0;
  bool handing_out_ = false;
  std::optional<Error> failed_;
  std::vector<Slot> slots_;
};

Result<void> ReadNumbers(QueryContext& context, Operator& op, const Numbers& numbers, const ConsumeColumn& consume) {
  const std::size_t count = numbers.count;
  const std::size_t threads = std::min(context.threads(), count);
  const auto start = std::chrono::steady_clock::now();
  StepColumn column;
  std::size_t i = 0;
  for (; i < count; ++i) {
    if (threads > 1 && (i & 7) == 7 && count - i > 2 * threads && std::chrono::steady_clock::now() - start >= kAlone) break;
    PROM_TRY(context.Check());
    PROM_TRY(op.Read(context, numbers[i], 0, &column));
    PROM_TRY(consume(numbers[i], &column));
  }
  if (i == count) return {};
  Ring ring(context, op, numbers, consume, i, 4 * threads);
  {
    std::vector<std::jthread> others;
    try {
      for (std::size_t worker = 1; worker < threads; ++worker) others.emplace_back([&ring, worker] { ring.Work(worker); });
    } catch (const std::system_error&) {
      // No more threads to be had: those there are do it.
    }
    ring.Work(0);
  }
  return ring.outcome();
}

}  // namespace

Result<void> ReadInOrder(QueryContext& context, Operator& op, const ConsumeColumn& consume) {
  return ReadNumbers(context, op, {nullptr, op.series().size()}, consume);
}

Result<void> ReadInOrder(QueryContext& context, Operator& op, std::span<const std::uint32_t> which, const ConsumeColumn& consume) {
  return ReadNumbers(context, op, {which.data(), which.size()}, consume);
}

}  // namespace prom::promql
