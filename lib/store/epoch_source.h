// The source of a block that is made of an epoch of the head. Label sets stay in the
// mapped series file, where they are read once, so that a million series take some ten
// bytes a label. Internal to lib/store.
#pragma once

#include <memory>

#include "store/block_source.h"
#include "store/head_reader.h"
#include "store/tombstones.h"

namespace prom::store {

// All that is committed and `deleted`, the tombstones of the epoch, do not hide. Null: the series file is damaged; a snapshot, which has other
// means to find series, is to be read as a Queryable instead. Errors as Snapshot's.
Result<std::unique_ptr<BlockSource>> MakeEpochSource(HeadReader& reader, const Tombstones& deleted);

}  // namespace prom::store
