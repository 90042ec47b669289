// StreamIntake: bytes of a stream, text or binary, into a sink. What `promstore
// append` reads from a pipe and the ingest server from a connection goes through it.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "exposition/stream_binary.h"
#include "exposition/stream_text.h"

namespace prom::store {

// A page of text whose end is not written ends when nothing has come for so long.
inline constexpr int kIdlePageMs = 500;

class StreamIntake {
 public:
  // `sink` and `clock` must outlive the object. whole_lines: at the end of input a
  // line without newline is refused, since the producer may have died inside of it.
  StreamIntake(StreamSink* sink, Clock* clock, StreamTextReader::RefusedFn refused, bool whole_lines);

  // The next bytes, cut anywhere. Errors: of StreamDecoder::Feed and of the sink.
  Result<void> Feed(std::string_view bytes);
  // Nothing has come for kIdlePageMs: commits a page of text as far as it came.
  Result<void> Idle();
  Result<void> Finish();

  StreamForm form() const { return form_; }
  // Of text; 0 for binary.
  std::uint64_t lines() const { return text_ ? text_->lines() - made_up_lines_ : 0; }
  std::uint64_t refused_lines() const { return refused_; }

 private:
  Result<void> FeedText(std::string_view bytes);

  StreamSink* sink_;
  Clock* clock_;
  StreamTextReader::RefusedFn on_refused_;
  const bool whole_lines_;
  StreamForm form_ = StreamForm::kUnknown;
  std::unique_ptr<StreamTextReader> text_;
  std::unique_ptr<StreamDecoder> binary_;
  std::string partial_;  // whole_lines: behind the last newline
  bool at_line_start_ = true, page_open_ = false;
  std::uint64_t made_up_lines_ = 0;  // empty ones that ended a page
  std::uint64_t refused_ = 0;
};

}  // namespace prom::store
