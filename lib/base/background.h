// Work that must not be felt by what people wait for.
#pragma once

namespace prom {

// The calling thread from now on gets what processor time and disk others leave:
// nice 10, best-effort I/O of the lowest level. Where that is not permitted, nothing changes.
void LowerThreadPriority();

}  // namespace prom
