// Stream sockets with a name in the file system: between programs of one machine.
#pragma once

#include <string>

#include "base/result.h"

namespace prom {

// A non-blocking socket that listens at `path`, which owner and group may use; one left behind by a process that was
// killed is replaced, so hold the lock of what the socket stands for. kInvalid: the path is too long; kIo: a file is in the way.
// The caller closes it and unlinks `path`.
Result<int> ListenUnix(const std::string& path, int backlog);

// A blocking socket connected to `path`, for the caller to close. kUnavailable: nobody listens, or too many wait.
Result<int> ConnectUnix(const std::string& path);

}  // namespace prom
