// FileWriter: a file written from front to back through a buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/io.h"

namespace prom::tsdb {

class FileWriter {
 public:
  static Result<FileWriter> Create(Io& io, const std::string& path) {
    PROM_ASSIGN(auto file, io.Open(path, Io::Mode::kCreateNew));
    return FileWriter(std::move(file));
  }
  std::uint64_t size() const { return written_ + buffer_.size(); }
  Result<void> Append(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() < kBufferBytes ? Result<void>() : Flush();
  }
  Result<void> Pad(std::size_t multiple) {
    const std::size_t over = size() % multiple;
    return over == 0 ? Result<void>() : Append(std::string(multiple - over, '\0'));
  }
  Result<void> Finish(bool sync) {
    PROM_TRY(Flush());
    return sync ? file_->Sync() : Result<void>();
  }

 private:
  static constexpr std::size_t kBufferBytes = 1 << 20;
  explicit FileWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Result<void> Flush() {
    PROM_TRY(file_->WriteAt(written_, buffer_));
    written_ += buffer_.size();
    buffer_.clear();
    return {};
  }

  std::unique_ptr<File> file_;
  std::string buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace prom::tsdb
