// What a HeadReader holds. Internal to lib/store.
#pragma once

#include <memory>

#include "store/head_reader.h"
#include "store/head_view.h"

namespace prom::store {

class HeadReader::Impl {
 public:
  std::shared_ptr<HeadFiles> files;
  std::shared_ptr<ControlPage> control;
};

}  // namespace prom::store
