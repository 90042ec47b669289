// Checks of Kubernetes field and label selectors (metadata.name=x; env in (a, b), !c).
#pragma once

#include <string_view>

#include "base/result.h"

namespace prom::discovery {

Result<void> CheckFieldSelector(std::string_view text);
Result<void> CheckLabelSelector(std::string_view text);

}  // namespace prom::discovery
