// Output: where all scrapers of a process send their samples, one at a time.
//
// Ids of series and layouts are handed out here, dense from 0. When the stream had
// to be begun anew (the store went away and came back, or too many ids were dead),
// `epoch` is another one and every scraper defines its series again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/mutex.h"
#include "exposition/stream_sink.h"

namespace prom::scrape {

class Output {
 public:
  virtual ~Output() = default;

  // What a scraper sees while it has its turn.
  struct Turn {
    StreamSink& sink;
    std::uint64_t epoch;
    std::uint32_t& next_series;
    std::uint32_t& next_layout;
  };
  // Calls `write` with the stream to itself, then commits. An error of `write` or of
  // the stream loses this batch only. Thread-safe; blocks while another has its turn.
  Result<void> Write(const std::function<Result<void>(Turn&)>& write) EXCLUDES(mutex_);

  // The epoch the next Write will have, if nothing breaks in between; begins the
  // stream if there is none.
  Result<std::uint64_t> Epoch() EXCLUDES(mutex_);

  // A scraper will not use this many of its series ids again.
  void Forget(std::uint32_t series) EXCLUDES(mutex_);

  // Gives this thread the turn, if nobody has it and a batch of up to kQuickBytes can be
  // written now without waiting for anybody. Its calls of the above then use that turn, until EndTurn.
  bool TryTurn() PROM_ANNOTATE(no_thread_safety_analysis);
  void EndTurn() PROM_ANNOTATE(no_thread_safety_analysis);
  static constexpr std::size_t kQuickBytes = 128u << 10;

 protected:
  // The stream to write to now. May begin a new one: then *fresh is set, and ids
  // start from 0. Called with the turn taken.
  virtual Result<StreamSink*> Stream(bool* fresh) = 0;
  // The stream returned an error, or must be begun anew: Stream() comes next.
  virtual void Drop() = 0;
  // Whether kQuickBytes can be written now without waiting. Called with the turn taken.
  virtual bool Quick() { return false; }

 private:
  class Turns;
  Result<StreamSink*> Open() REQUIRES(mutex_);

  Mutex mutex_;
  std::atomic<std::thread::id> holder_{};  // who has the turn by TryTurn
  std::uint64_t epoch_ GUARDED_BY(mutex_) = 0;
  std::uint64_t sequence_ GUARDED_BY(mutex_) = 0;
  std::uint32_t next_series_ GUARDED_BY(mutex_) = 0, next_layout_ GUARDED_BY(mutex_) = 0;
  std::uint32_t dead_ GUARDED_BY(mutex_) = 0;
};

// An Output on a sink that lives as long: standard output, or a test.
class SinkOutput : public Output {
 public:
  // quick: the sink never makes its caller wait.
  explicit SinkOutput(StreamSink& sink, bool quick = false) : sink_(sink), quick_(quick) {}

 protected:
  Result<StreamSink*> Stream(bool* fresh) override {
    *fresh = !begun_;
    begun_ = true;
    return &sink_;
  }
  void Drop() override {
    // The sink itself stays; its ids are forgotten.
    (void)bool(sink_.Reset());
    begun_ = false;
  }
  bool Quick() override { return quick_; }

 private:
  StreamSink& sink_;
  const bool quick_;
  bool begun_ = false;
};

}  // namespace prom::scrape
