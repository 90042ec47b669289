#include "node/filter.h"

#include <re2/re2.h>

namespace prom::node {
namespace {

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};

constexpr std::size_t kMaxRemembered = 4096;

}  // namespace

struct NameMatcher::Impl {
  explicit Impl(const std::string& expression, const re2::RE2::Options& options) : re(expression, options) {}
  re2::RE2 re;
  std::unordered_map<std::string, bool, NameHash, std::equal_to<>> verdicts;
};

NameMatcher::NameMatcher() = default;
NameMatcher::~NameMatcher() = default;
NameMatcher::NameMatcher(NameMatcher&&) noexcept = default;
NameMatcher& NameMatcher::operator=(NameMatcher&&) noexcept = default;

Result<NameMatcher> NameMatcher::Make(const std::string& expression, std::string_view flag) {
  NameMatcher m;
  if (expression.empty()) return m;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);
  m.impl_ = std::make_unique<Impl>(expression, options);
  if (!m.impl_->re.ok())
    return Error{Errc::kInvalid, "--" + std::string(flag) + ": bad regular expression \"" + expression + "\": " + m.impl_->re.error()};
  return m;
}

bool NameMatcher::Matches(std::string_view name) {
  if (!impl_) return false;
  auto& verdicts = impl_->verdicts;
  if (const auto known = verdicts.find(name); known != verdicts.end()) return known->second;
  const bool matches = re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), impl_->re);
  if (verdicts.size() >= kMaxRemembered) verdicts.clear();
  verdicts.emplace(name, matches);
  return matches;
}

Result<DeviceFilter> DeviceFilter::Make(const FilterOptions& options, std::string_view flag) {
  const std::string base(flag);
  std::string exclude = options.exclude;
  if (!options.include.empty()) {
    if (options.exclude_set && !exclude.empty())
      return Error{Errc::kInvalid, "--" + base + "-exclude and --" + base + "-include are mutually exclusive"};
    exclude.clear();
  }
  DeviceFilter f;
  PROM_ASSIGN(f.include_, NameMatcher::Make(options.include, base + "-include"));
  PROM_ASSIGN(f.exclude_, NameMatcher::Make(exclude, base + "-exclude"));
  return f;
}

}  // namespace prom::node
