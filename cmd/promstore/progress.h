// Progress: a line on standard error that says how far a command is, written over
// and over, and taken away at the end. Nothing when that is no terminal.
#pragma once

#include <cstdint>
#include <string>

class Progress {
 public:
  // total: of what `done` counts; 0: not known.
  Progress(std::string what, std::uint64_t total);
  ~Progress();
  // `rest` is put behind, as "1200000 samples", and how long the rest will take. Prints at most five times a second.
  void Show(std::uint64_t done, const std::string& rest);

 private:
  std::string what_;
  std::uint64_t total_;
  bool terminal_;
  std::int64_t start_ns_;
  std::int64_t next_ns_ = 0;
  std::size_t width_ = 0;
};
