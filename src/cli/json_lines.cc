#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/strings.h"
#include "cli/row_source.h"

namespace roost {

namespace {

constexpr size_t kPieceBytes = size_t{1} << 18;
constexpr size_t kMaxLineBytes = size_t{64} << 20;  ///< what a server's request may hold

// zlib reads plain files as they are and decompresses others.
class JsonLines final : public RowSource {
 public:
  JsonLines(std::string path, gzFile file, uint64_t bytes)
      : path_(std::move(path)), file_(file), bytes_(bytes) {}
  ~JsonLines() override { gzclose(file_); }

  Result<std::optional<SourceRow>> Next() override {
    for (;;) {
      std::optional<std::string_view> line = TRY(ReadLine());
      if (!line) {
        return std::optional<SourceRow>();
      }
      ++number_;
      if (number_ == 1 && line->starts_with("\xEF\xBB\xBF")) {
        line->remove_prefix(3);
      }
      const std::string_view text = Trim(*line);
      if (!text.empty()) {
        return std::optional<SourceRow>(Check(text));
      }
    }
  }

  std::string_view unit() const override { return "line"; }
  double fraction() const override {
    const z_off_t offset = gzoffset(file_);
    return bytes_ == 0 || offset < 0 ? 0
                                     : static_cast<double>(offset) / static_cast<double>(bytes_);
  }

 private:
  // The next line without its end, valid until the next call; nullopt at the end.
  Result<std::optional<std::string_view>> ReadLine() {
    size_t searched = start_;
    for (;;) {
      const size_t end = buffer_.find('\n', searched);
      if (end != std::string::npos) {
        const std::string_view line = std::string_view(buffer_).substr(start_, end - start_);
        start_ = end + 1;
        return std::optional(line);
      }
      if (ended_) {
        const std::string_view line = std::string_view(buffer_).substr(start_);
        start_ = buffer_.size();
        return line.empty() ? std::nullopt : std::optional(line);
      }
      buffer_.erase(0, start_);
      start_ = 0;
      searched = buffer_.size();
      if (searched > kMaxLineBytes) {
        return InvalidArgument(fmt::format("{}: line {} is longer than {}", path_, number_ + 1,
                                           HumanBytes(kMaxLineBytes)));
      }
      TRY(Fill());
    }
  }

  Status Fill() {
    const size_t size = buffer_.size();
    buffer_.resize(size + kPieceBytes);
    const int got = gzread(file_, buffer_.data() + size, kPieceBytes);
    buffer_.resize(size + static_cast<size_t>(std::max(got, 0)));
    int code = Z_OK;
    const char* words = gzerror(file_, &code);
    if (got < 0 || (got == 0 && code != Z_OK)) {
      return DataLoss(fmt::format("{}: cannot be read after line {}: {}", path_, number_,
                                  code == Z_ERRNO ? std::strerror(errno) : words));
    }
    ended_ = got == 0;
    return {};
  }

  // A line goes into the request as it is, so it must be one whole JSON object.
  SourceRow Check(std::string_view text) {
    SourceRow row{.json = {}, .error = {}, .number = number_};
    padded_.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    padded_.assign(text);
    simdjson::dom::element element;
    const simdjson::error_code error =
        parser_.parse(padded_.data(), padded_.size(), false).get(element);
    if (error != simdjson::SUCCESS) {
      row.error = fmt::format("not valid JSON: {}", simdjson::error_message(error));
    } else if (!element.is_object()) {
      row.error = "not a JSON object";
    } else {
      row.json = std::string(text);
    }
    return row;
  }

  const std::string path_;
  const gzFile file_;
  const uint64_t bytes_;  ///< of the file; 0: not known
  simdjson::dom::parser parser_;
  std::string padded_;
  std::string buffer_;
  size_t start_ = 0;  ///< of what is not given out yet
  uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<RowSource>> OpenJsonLines(const std::string& path) {
  struct stat status{};
  const bool standard_input = path == "-";
  if (!standard_input && ::stat(path.c_str(), &status) != 0) {
    return NotFound(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  if (S_ISDIR(status.st_mode)) {
    return InvalidArgument(fmt::format("{} is a folder", path));
  }
  gzFile file = standard_input ? gzdopen(::dup(STDIN_FILENO), "rb") : gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return NotFound(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  gzbuffer(file, kPieceBytes);
  const auto bytes = S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0;
  return std::make_unique<JsonLines>(path, file, bytes);
}

std::string_view FormatOfName(std::string_view path) {
  if (path.ends_with(".parquet")) {
    return "parquet";
  }
  return path.ends_with(".npy") ? "npy" : "jsonl";
}

}  // namespace roost
