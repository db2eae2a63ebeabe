#include "cli/table.h"

#include <algorithm>

#include "base/strings.h"

namespace roost {

namespace {

constexpr size_t kGap = 2;
constexpr size_t kLeastWidth = 8;  ///< columns are not cut below this

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool IsNumeric(std::string_view text) { return text.empty() || ParseDouble(text).ok(); }

}  // namespace

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !IsContinuation(c); }));
}

std::string CutTo(std::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) {
    return std::string(text);
  }
  if (width == 0) {
    return {};
  }
  size_t end = 0;
  for (size_t shown = 0; end < text.size(); ++end) {
    if (!IsContinuation(text[end]) && ++shown == width) {
      break;
    }
  }
  return std::string(text.substr(0, end)) + "…";
}

void Table::AddRow(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  for (std::string& cell : cells) {
    for (char& c : cell) {
      const auto byte = static_cast<unsigned char>(c);
      c = byte < 0x20 || byte == 0x7F ? ' ' : c;
    }
  }
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::Widths(size_t limit) const {
  std::vector<size_t> widths;
  size_t total = headers_.empty() ? 0 : (headers_.size() - 1) * kGap;
  for (size_t column = 0; column < headers_.size(); ++column) {
    size_t width = DisplayWidth(headers_[column]);
    for (const auto& row : rows_) {
      width = std::max(width, DisplayWidth(row[column]));
    }
    widths.push_back(width);
    total += width;
  }
  while (limit != 0 && total > limit && !widths.empty()) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kLeastWidth) {
      break;
    }
    --*widest;
    --total;
  }
  return widths;
}

std::string Table::RenderLine(const std::vector<std::string>& cells,
                              const std::vector<size_t>& widths,
                              const std::vector<bool>& numeric) const {
  std::string line;
  for (size_t column = 0; column < cells.size(); ++column) {
    const std::string cell = CutTo(cells[column], widths[column]);
    const std::string padding(widths[column] - DisplayWidth(cell), ' ');
    line += column > 0 ? std::string(kGap, ' ') : "";
    line += numeric[column] ? padding + cell : cell + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Table::Render(const Look& look) const {
  const std::vector<size_t> widths = Widths(look.width);
  std::vector<bool> numeric(headers_.size(), !rows_.empty());
  for (const auto& row : rows_) {
    for (size_t column = 0; column < row.size(); ++column) {
      numeric[column] = numeric[column] && IsNumeric(row[column]);
    }
  }
  const std::string header = RenderLine(headers_, widths, numeric);
  std::string out = look.color ? "\033[1m" + header + "\033[0m\n" : header + "\n";
  for (const auto& row : rows_) {
    out += RenderLine(row, widths, numeric) + "\n";
  }
  return out;
}

}  // namespace roost
