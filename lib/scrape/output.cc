#include "scrape/output.h"

namespace prom::scrape {
namespace {
// A stream whose dictionary is mostly dead is begun anew, but not before it is large.
constexpr std::uint32_t kMinDead = 100'000;
}  // namespace

// The turn for the life of the object, taken here unless this thread has it by TryTurn.
class PROM_ANNOTATE(scoped_lockable) Output::Turns {
 public:
  explicit Turns(Output& o) PROM_ANNOTATE(acquire_capability(o.mutex_)) PROM_ANNOTATE(no_thread_safety_analysis)
      : output_(o), had_it_(o.holder_.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
    if (!had_it_) output_.mutex_.lock();
  }
  ~Turns() PROM_ANNOTATE(release_capability()) PROM_ANNOTATE(no_thread_safety_analysis) {
    if (!had_it_) output_.mutex_.unlock();
  }
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

 private:
  Output& output_;
  const bool had_it_;
};

bool Output::TryTurn() {
  if (!mutex_.try_lock()) return false;
  if (!Quick()) {
    mutex_.unlock();
    return false;
  }
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return true;
}

void Output::EndTurn() {
  holder_.store({}, std::memory_order_relaxed);
  mutex_.unlock();
}

Result<StreamSink*> Output::Open() {
  if (dead_ >= kMinDead && dead_ > next_series_ / 2) Drop();
  bool fresh = false;
  PROM_ASSIGN(StreamSink* const sink, Stream(&fresh));
  if (fresh) {
    ++epoch_;
    next_series_ = next_layout_ = dead_ = 0;
  }
  return sink;
}

Result<std::uint64_t> Output::Epoch() {
  Turns turn(*this);
  PROM_TRY(Open());
  return epoch_;
}

Result<void> Output::Write(const std::function<Result<void>(Turn&)>& write) {
  Turns mine(*this);
  PROM_ASSIGN(StreamSink* const sink, Open());
  Turn turn{*sink, epoch_, next_series_, next_layout_};
  auto done = write(turn);
  if (done) done = sink->Commit(++sequence_);
  // A batch that broke off in the middle has left ids half defined.
  if (!done) Drop();
  return done;
}

void Output::Forget(std::uint32_t series) {
  Turns turn(*this);
  dead_ += series;
}

}  // namespace prom::scrape
