#include "scrape/output.h"

namespace prom::scrape {
namespace {
// A stream whose dictionary is mostly dead is begun anew, but not before it is large.
constexpr std::uint32_t kMinDead = 100'000;
}  // namespace

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
  MutexLock lock(mutex_);
  PROM_TRY(Open());
  return epoch_;
}

Result<void> Output::Write(const std::function<Result<void>(Turn&)>& write) {
  MutexLock lock(mutex_);
  PROM_ASSIGN(StreamSink* const sink, Open());
  Turn turn{*sink, epoch_, next_series_, next_layout_};
  auto done = write(turn);
  if (done) done = sink->Commit(++sequence_);
  // A batch that broke off in the middle has left ids half defined.
  if (!done) Drop();
  return done;
}

void Output::Forget(std::uint32_t series) {
  MutexLock lock(mutex_);
  dead_ += series;
}

}  // namespace prom::scrape
