// StoreOutput: samples to the store of a data directory, over DATA/ingest.sock in
// the binary form of prom-stream(5).
//
// While the store is away, batches go to files in DATA/spool, each a stream of its
// own, up to a limit in bytes (then the oldest file is given up). When the store is
// back they are delivered first, oldest first, so that samples arrive in order; a
// file is deleted once the store has acknowledged all of it. What the store had not
// acknowledged of the live stream when it went away is counted as lost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/time.h"
#include "scrape/output.h"

namespace prom::scrape {

struct StoreOutputOptions {
  std::string data_dir;
  std::string spool_name = "promscrape";  // DATA/spool/<name>-<number>
  std::uint64_t spool_bytes = 256u << 20;
  std::int64_t retry_ms = 500;     // between attempts to connect
  std::int64_t send_timeout_ms = 10'000;
};

class StoreOutput : public Output {
 public:
  StoreOutput(StoreOutputOptions options, Metrics& metrics, Clock& clock);
  ~StoreOutput() override;
  // Tries for up to timeout_ms to deliver what is in the spool and to have all acknowledged.
  void Flush(std::int64_t timeout_ms);

 protected:
  Result<StreamSink*> Stream(bool* fresh) override;
  void Drop() override;
  bool Quick() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace prom::scrape
