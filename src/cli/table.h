#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace roost {

/// Rows for people: columns side by side, numbers to the right, long texts cut.
class Table {
 public:
  explicit Table(std::vector<std::string> headers) : headers_(std::move(headers)) {}

  /// Missing cells are empty. Line breaks and other control characters are shown as spaces.
  void AddRow(std::vector<std::string> cells);
  size_t rows() const { return rows_.size(); }

  struct Look {
    size_t width = 0;  ///< of the whole line; 0: no limit
    bool color = false;
  };
  /// Ends with a line break. Only the headers when there are no rows.
  std::string Render(const Look& look) const;

 private:
  std::vector<size_t> Widths(size_t limit) const;
  std::string RenderLine(const std::vector<std::string>& cells, const std::vector<size_t>& widths,
                         const std::vector<bool>& numeric) const;

  std::vector<std::string> headers_;
  std::vector<std::vector<std::string>> rows_;
};

/// Code points of UTF-8 text: good enough as columns of a terminal.
size_t DisplayWidth(std::string_view text);
/// At most `width` columns; a cut text ends in "…".
std::string CutTo(std::string_view text, size_t width);

}  // namespace roost
