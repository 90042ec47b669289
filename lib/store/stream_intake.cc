#include "store/stream_intake.h"

namespace prom::store {
namespace {

// Held back of a line that has not ended; longer ones are the reader's to refuse.
constexpr std::size_t kMaxHeld = 2u << 20;

}  // namespace

StreamIntake::StreamIntake(StreamSink* sink, Clock* clock, StreamTextReader::RefusedFn refused, bool whole_lines)
    : sink_(sink), clock_(clock), on_refused_(std::move(refused)), whole_lines_(whole_lines) {}

Result<void> StreamIntake::Feed(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (form_ == StreamForm::kUnknown) {
    form_ = DetectStream(bytes);
    if (form_ == StreamForm::kBinary) {
      binary_ = std::make_unique<StreamDecoder>(sink_);
    } else {
      text_ = std::make_unique<StreamTextReader>(sink_, clock_, StreamTextReader::Options{}, [this](std::uint64_t line, std::string_view reason) {
        ++refused_;
        if (on_refused_) on_refused_(line - made_up_lines_, reason);
      });
    }
  }
  return binary_ ? binary_->Feed(bytes) : FeedText(bytes);
}

Result<void> StreamIntake::FeedText(std::string_view bytes) {
  page_open_ = true;
  if (!whole_lines_) {
    at_line_start_ = bytes.back() == '\n';
    return text_->Feed(bytes);
  }
  const std::size_t newline = bytes.rfind('\n');
  if (newline == std::string_view::npos) {
    partial_.append(bytes);
    if (partial_.size() < kMaxHeld) return {};
    at_line_start_ = false;
    std::string long_line;
    long_line.swap(partial_);
    return text_->Feed(long_line);
  }
  if (!partial_.empty()) {
    partial_.append(bytes.substr(0, newline + 1));
    std::string lines;
    lines.swap(partial_);
    PROM_TRY(text_->Feed(lines));
  } else {
    PROM_TRY(text_->Feed(bytes.substr(0, newline + 1)));
  }
  at_line_start_ = true;
  partial_.assign(bytes.substr(newline + 1));
  return {};
}

Result<void> StreamIntake::Idle() {
  if (!text_ || !page_open_ || !at_line_start_) return {};
  page_open_ = !partial_.empty();
  ++made_up_lines_;
  return text_->Feed("\n");
}

Result<void> StreamIntake::Finish() {
  if (binary_) return binary_->Finish();
  if (!text_) return {};
  if (!partial_.empty()) {
    ++refused_;
    if (on_refused_) on_refused_(lines() + 1, "the input ends inside this line");
    partial_.clear();
  }
  return text_->Finish();
}

}  // namespace prom::store
