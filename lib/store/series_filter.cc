#include "store/series_filter.h"

#include <set>

namespace prom::store {
namespace {

class KeptSelection : public Selection {
 public:
  KeptSelection(std::unique_ptr<Selection> all, const std::function<bool(const Labels&)>& keep) : all_(std::move(all)) {
    for (std::size_t i = 0; i < all_->size(); ++i)
      if (keep(all_->labels(i))) kept_.push_back(i);
  }
  std::size_t size() const override { return kept_.size(); }
  const Labels& labels(std::size_t i) const override { return all_->labels(kept_[i]); }
  Result<void> Read(std::size_t i, std::int64_t min_ms, std::int64_t max_ms, SeriesColumns* out) const override { return all_->Read(kept_[i], min_ms, max_ms, out); }

 private:
  std::unique_ptr<Selection> all_;
  std::vector<std::size_t> kept_;
};

class KeptQueryable : public Queryable {
 public:
  KeptQueryable(std::shared_ptr<const Queryable> source, std::function<bool(const Labels&)> keep) : source_(std::move(source)), keep_(std::move(keep)) {}

  Result<std::unique_ptr<Selection>> Select(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    PROM_ASSIGN(auto all, source_->Select(matchers, min_ms, max_ms));
    return std::unique_ptr<Selection>(new KeptSelection(std::move(all), keep_));
  }
  Result<std::vector<std::string>> LabelNames(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    return Collect(matchers, min_ms, max_ms, [](const Labels& labels, std::set<std::string>* out) {
      for (const Label l : labels) out->emplace(l.name);
    });
  }
  Result<std::vector<std::string>> LabelValues(std::string_view name, const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms) const override {
    return Collect(matchers, min_ms, max_ms, [name](const Labels& labels, std::set<std::string>* out) {
      if (const auto v = labels.Get(name); !v.empty()) out->emplace(v);
    });
  }
  Result<std::vector<std::pair<std::string, Metadata>>> ListMetadata() const override { return source_->ListMetadata(); }
  Result<std::vector<SeriesExemplars>> Exemplars(const std::vector<Matchers>& any_of, std::int64_t min_ms, std::int64_t max_ms) const override {
    PROM_ASSIGN(auto all, source_->Exemplars(any_of, min_ms, max_ms));
    std::erase_if(all, [&](const SeriesExemplars& e) { return !keep_(e.series); });
    return all;
  }
  std::pair<std::int64_t, std::int64_t> TimeRange() const override { return source_->TimeRange(); }

 private:
  template <typename Add>
  Result<std::vector<std::string>> Collect(const Matchers& matchers, std::int64_t min_ms, std::int64_t max_ms, Add add) const {
    PROM_ASSIGN(const auto selection, Select(matchers, min_ms, max_ms));
    std::set<std::string> out;
    for (std::size_t i = 0; i < selection->size(); ++i) add(selection->labels(i), &out);
    return std::vector<std::string>(out.begin(), out.end());
  }

  std::shared_ptr<const Queryable> source_;
  std::function<bool(const Labels&)> keep_;
};

}  // namespace

std::shared_ptr<const Queryable> KeepSeries(std::shared_ptr<const Queryable> source, std::function<bool(const Labels&)> keep) {
  return std::make_shared<KeptQueryable>(std::move(source), std::move(keep));
}

}  // namespace prom::store
