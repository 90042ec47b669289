// Lost pages: what becomes of a mapped page that the kernel cannot read, because the
// medium is damaged or somebody has cut the file off. Without this the process would
// die of SIGBUS. With it the page reads as zeros from then on, which no checksum
// passes, and is remembered by file and offset.
//
// So a reader of mappings does what it does about damage, and in two places more:
// bytes that have been verified once must be asked about again (BytesLost) before
// they are used without their checksum, and who decodes from a mapping compares
// LostPageCount before and after, since a page may go between check and use.
//
// Thread-safe. Mappings of Io (io.h) are registered by themselves, and the handler is
// installed with each, if another has taken its place; a SIGBUS elsewhere ends the process.
//
// A page of which only a part lies behind the end of a file that was cut off reads as
// zeros from there on without a fault; there only checksums tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace prom {

// `writable`: pages that are lost can still be written to, in vain.
void RegisterMapping(void* base, std::size_t size, bool writable, const std::string& path);
void UnregisterMapping(void* base);

// How many pages this process has lost so far.
std::uint64_t LostPageCount();
// Whether one of them is in these bytes of a mapping. Costs one load while there are none.
bool BytesLost(const void* p, std::size_t size);
inline bool BytesLost(std::string_view bytes) { return BytesLost(bytes.data(), bytes.size()); }
// kIo: "FILE: byte N: cannot be read; ..." for the newest one.
Error LostPageError();

}  // namespace prom
