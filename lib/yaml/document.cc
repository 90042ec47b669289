// Builds a Document from yaml-cpp's event stream.
//
// Nodes are one flat array; children are linked lists of indices, text and tags
// lie in one string. An alias is a node of its own that names its target. As an
// anchor still open when its alias is seen is refused, the graph has no cycles, and
// height and expanded size of every node are known when it closes: that is where
// the limits on depth and alias bombs are enforced, before anybody walks.
#include <algorithm>
#include <istream>
#include <streambuf>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "base/io.h"
#include "base/strings.h"
#include "yaml/yaml.h"

namespace prom::yaml {

namespace {

constexpr std::uint32_t kNone = 0xffffffffu;

struct NodeData {
  Node::Kind kind = Node::Kind::kNull;
  bool plain = false;
  bool alias = false;          // `first_child` is the target
  std::uint8_t height = 0;     // containers on the longest way down, this one included, aliases expanded
  std::uint32_t line = 0, column = 0;
  std::uint32_t text = 0, text_size = 0;  // in Impl::text
  std::uint32_t tag = 0;                  // in Impl::tags; 0: none
  std::uint32_t first_child = kNone, next = kNone;
  std::uint32_t children = 0;  // of a mapping: keys and values
};

// Thrown through yaml-cpp, which is exception safe, and caught in Parse.
struct Refused {
  int line, column;
  std::string message;
};

}  // namespace

struct Document::Impl {
  std::string name;
  std::vector<NodeData> nodes;
  std::string text;
  std::vector<std::string> tags{std::string()};
  std::uint32_t root = kNone;

  const NodeData& At(std::uint32_t index) const {
    const NodeData* n = &nodes[index];
    return n->alias ? nodes[n->first_child] : *n;
  }
};

namespace {

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Document::Impl* doc);
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override;
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override;
  void OnMapEnd() override { Close(); }
  void OnAnchor(const YAML::Mark&, const std::string& name) override { anchor_name_ = name; }

 private:
  struct Open {
    std::uint32_t node;
    std::uint32_t last_child = kNone;
    std::uint64_t size = 1;  // expanded
    int height = 1;
  };
  struct Anchor {
    std::uint32_t node = kNone;
    std::uint64_t size = 1;
    bool open = false;
    std::string name;
  };
  std::uint32_t Add(const YAML::Mark& mark, Node::Kind kind, const std::string& tag, YAML::anchor_t anchor, std::uint64_t size, int height);
  void OpenNode(const YAML::Mark& mark, Node::Kind kind, const std::string& tag, YAML::anchor_t anchor);
  void Close();
  std::uint32_t Tag(const std::string& tag);

  Document::Impl* doc_;
  std::vector<Open> open_;
  std::vector<Anchor> anchors_;      // by yaml-cpp's anchor number
  std::vector<std::uint32_t> open_anchors_;  // parallel to open_: anchor number or 0
  std::uint64_t total_ = 0;          // expanded nodes so far
  std::string anchor_name_;
};

Builder::Builder(Document::Impl* doc) : doc_(doc) {}

std::uint32_t Builder::Tag(const std::string& tag) {
  if (tag.empty() || tag == "?" || tag == "!") return 0;
  static constexpr std::string_view kLong = "tag:yaml.org,2002:";
  std::string short_tag = tag.starts_with(kLong) ? "!!" + tag.substr(kLong.size()) : tag;
  for (std::size_t i = 1; i < doc_->tags.size(); ++i)
    if (doc_->tags[i] == short_tag) return static_cast<std::uint32_t>(i);
  // Files use a handful; more than this is an attack on the linear search.
  if (doc_->tags.size() > 64) throw Refused{0, 0, "too many different tags"};
  doc_->tags.push_back(std::move(short_tag));
  return static_cast<std::uint32_t>(doc_->tags.size() - 1);
}

// Appends a node to the innermost open one. `size` and `height` are those of what
// it stands for.
std::uint32_t Builder::Add(const YAML::Mark& mark, Node::Kind kind, const std::string& tag, YAML::anchor_t anchor, std::uint64_t size, int height) {
  const int line = mark.line + 1, column = mark.column + 1;
  if (static_cast<int>(open_.size()) + height > kMaxDepth)
    throw Refused{line, column, "nested deeper than " + std::to_string(kMaxDepth) + " levels"};
  total_ += size;
  if (total_ > kMaxNodes) throw Refused{line, column, "document contains excessive aliasing"};
  if (doc_->nodes.size() >= kMaxOwnNodes) throw Refused{line, column, "document has more than " + std::to_string(kMaxOwnNodes) + " nodes"};
  const auto index = static_cast<std::uint32_t>(doc_->nodes.size());
  NodeData node;
  node.kind = kind;
  node.height = static_cast<std::uint8_t>(height);
  node.line = static_cast<std::uint32_t>(line);
  node.column = static_cast<std::uint32_t>(column);
  node.plain = tag == "?" || tag.empty();
  node.tag = Tag(tag);
  doc_->nodes.push_back(node);
  if (open_.empty()) {
    doc_->root = index;
  } else {
    Open& parent = open_.back();
    NodeData& data = doc_->nodes[parent.node];
    if (parent.last_child == kNone) data.first_child = index;
    else doc_->nodes[parent.last_child].next = index;
    parent.last_child = index;
    ++data.children;
    parent.size += size;
    parent.height = std::max(parent.height, height + 1);
  }
  if (anchor != 0) {
    if (anchors_.size() <= anchor) anchors_.resize(anchor + 1);
    anchors_[anchor] = {index, size, false, anchor_name_};
  }
  return index;
}

void Builder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) { Add(mark, Node::Kind::kNull, "", anchor, 1, 0); }

void Builder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) {
  const std::uint32_t index = Add(mark, Node::Kind::kScalar, tag, anchor, 1, 0);
  NodeData& node = doc_->nodes[index];
  node.text = static_cast<std::uint32_t>(doc_->text.size());
  node.text_size = static_cast<std::uint32_t>(value.size());
  doc_->text += value;
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (anchor >= anchors_.size() || anchors_[anchor].node == kNone) throw Refused{mark.line + 1, mark.column + 1, "unknown anchor"};
  const Anchor target = anchors_[anchor];
  if (target.open) throw Refused{mark.line + 1, mark.column + 1, "anchor '" + target.name + "' value contains itself"};
  const NodeData& data = doc_->nodes[target.node];
  const std::uint32_t index = Add(mark, data.kind, "", 0, target.size, data.height);
  NodeData& alias = doc_->nodes[index];
  alias.alias = true;
  alias.first_child = target.node;
}

void Builder::OpenNode(const YAML::Mark& mark, Node::Kind kind, const std::string& tag, YAML::anchor_t anchor) {
  const std::uint32_t index = Add(mark, kind, tag, anchor, 1, 1);
  if (anchor != 0) anchors_[anchor].open = true;
  open_.push_back({index});
  open_anchors_.push_back(static_cast<std::uint32_t>(anchor));
}

void Builder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) {
  OpenNode(mark, Node::Kind::kSequence, tag, anchor);
}
void Builder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) {
  OpenNode(mark, Node::Kind::kMapping, tag, anchor);
}

void Builder::Close() {
  const Open done = open_.back();
  open_.pop_back();
  doc_->nodes[done.node].height = static_cast<std::uint8_t>(std::min(done.height, kMaxDepth));
  if (const std::uint32_t anchor = open_anchors_.back()) {
    anchors_[anchor].size = done.size;
    anchors_[anchor].open = false;
  }
  open_anchors_.pop_back();
  if (open_.empty()) return;
  Open& parent = open_.back();
  parent.size += done.size - 1;  // one was counted when it was opened
  parent.height = std::max(parent.height, done.height + 1);
}

// yaml-cpp reads streams; this one reads the caller's bytes without a copy.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* p = const_cast<char*>(text.data());
    setg(p, p, p + text.size());
  }
};

Error MakeError(const std::string& name, int line, int column, std::string_view message) {
  std::string text = name;
  if (line > 0) text += ":" + std::to_string(line) + ":" + std::to_string(column);
  text += ": yaml: ";
  text += message;
  return {Errc::kInvalid, std::move(text)};
}

// Refuses what go-yaml's reader does: bytes that are not UTF-8, which yaml-cpp would
// replace, and control characters, of which yaml-cpp takes 0x04 for the end of the file.
Result<void> CheckCharacters(std::string_view text, const std::string& name) {
  const bool utf8 = IsValidUtf8(text);
  int line = 1;
  std::size_t line_start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\n') {
      if (!utf8 && !IsValidUtf8(text.substr(line_start, i - line_start))) break;
      ++line;
      line_start = i + 1;
      continue;
    }
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool c0 = (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
    const bool c1 = c == 0xc2 && next < 0xa0 && next != 0x85;
    const std::string_view three = text.substr(i, 3);
    const bool other = c == 0xef && (three == "\xef\xbf\xbe" || three == "\xef\xbf\xbf" || (three == "\xef\xbb\xbf" && i > 0));
    if (c0 || c1 || other) return MakeError(name, line, static_cast<int>(i - line_start) + 1, "control characters are not allowed");
  }
  if (!utf8) return MakeError(name, line, 1, "invalid UTF-8 in this line");
  return {};
}

}  // namespace

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;
const std::string& Document::name() const { return impl_->name; }
Node Document::root() const { return impl_->root == kNone ? Node() : Node(impl_.get(), impl_->root); }

Result<Document> Document::Parse(std::string_view text, std::string name) {
  if (text.size() > kMaxBytes) return MakeError(name, 0, 0, "longer than 64 MiB");
  // UTF-16 is yaml-cpp's business.
  if (!text.starts_with("\xff\xfe") && !text.starts_with("\xfe\xff")) PROM_TRY(CheckCharacters(text, name));
  auto impl = std::make_unique<Impl>();
  impl->name = std::move(name);
  Builder builder(impl.get());
  ViewBuffer buffer(text);
  std::istream in(&buffer);
  try {
    YAML::Parser parser(in);
    parser.HandleNextDocument(builder);
  } catch (const Refused& e) {
    return MakeError(impl->name, e.line, e.column, e.message);
  } catch (const YAML::Exception& e) {
    return MakeError(impl->name, e.mark.line + 1, e.mark.column + 1, e.msg);
  } catch (const std::exception& e) {
    return MakeError(impl->name, 0, 0, e.what());
  }
  return Document(std::move(impl));
}

Result<Document> Document::Load(const std::string& path) {
  PROM_ASSIGN(const std::string text, ReadFile(SystemIo(), path, kMaxBytes));
  return Parse(text, path);
}

Node::Kind Node::kind() const { return doc_ == nullptr ? Kind::kNull : doc_->At(index_).kind; }
int Node::line() const { return doc_ == nullptr ? 1 : static_cast<int>(doc_->At(index_).line); }
int Node::column() const { return doc_ == nullptr ? 1 : static_cast<int>(doc_->At(index_).column); }

std::string Node::Where() const {
  if (doc_ == nullptr) return {};
  return doc_->name + ":" + std::to_string(line()) + ":" + std::to_string(column());
}

Error Node::At(std::string_view message) const {
  std::string text = Where();
  if (!text.empty()) text += ": ";
  text += message;
  return {Errc::kInvalid, std::move(text)};
}

std::string_view Node::text() const {
  if (doc_ == nullptr) return {};
  const NodeData& n = doc_->At(index_);
  return std::string_view(doc_->text).substr(n.text, n.text_size);
}
std::string_view Node::tag() const { return doc_ == nullptr ? std::string_view() : std::string_view(doc_->tags[doc_->At(index_).tag]); }
bool Node::plain() const { return doc_ != nullptr && doc_->At(index_).plain; }

std::size_t Node::size() const {
  if (doc_ == nullptr) return 0;
  const NodeData& n = doc_->At(index_);
  return n.kind == Kind::kMapping ? n.children / 2 : n.children;
}

std::vector<Node> Node::items() const {
  std::vector<Node> out;
  if (!is_sequence()) return out;
  out.reserve(size());
  for (std::uint32_t i = doc_->At(index_).first_child; i != kNone; i = doc_->nodes[i].next) out.push_back(Node(doc_, i));
  return out;
}

std::vector<std::pair<Node, Node>> Node::entries() const {
  std::vector<std::pair<Node, Node>> out;
  if (!is_mapping()) return out;
  out.reserve(size());
  for (std::uint32_t i = doc_->At(index_).first_child; i != kNone;) {
    const std::uint32_t value = doc_->nodes[i].next;
    if (value == kNone) break;
    out.emplace_back(Node(doc_, i), Node(doc_, value));
    i = doc_->nodes[value].next;
  }
  return out;
}

}  // namespace prom::yaml
