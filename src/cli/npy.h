#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roost {

/// What an element of a .npy file is. Little endian.
enum class NpyType { kFloat16, kFloat32, kFloat64, kInt8, kUint8, kInt32, kInt64 };
size_t NpySize(NpyType type);

struct NpyHeader {
  NpyType type = NpyType::kFloat32;
  uint64_t rows = 0;
  uint64_t columns = 1;  ///< 1 for a one-dimensional array
  size_t data_offset = 0;
};

/// Reads the header off the first bytes of a file (all of it: 10 + its length). kInvalidArgument
/// says what is not supported: other dtypes, big endian, Fortran order, more than two dimensions.
Result<NpyHeader> ParseNpyHeader(std::string_view bytes);
/// Always 128 bytes, so that it can be written again once the rows are counted.
std::string MakeNpyHeader(const NpyHeader& header);

/// The rows of a matrix, one after the other; memory for one row.
class NpyReader {
 public:
  /// kNotFound, kInvalidArgument, kDataLoss when the file is shorter than its header says.
  static Result<NpyReader> Open(const std::string& path);

  const NpyHeader& header() const { return header_; }
  /// The bytes of the next row, valid until the next call; empty at the end.
  Result<std::string_view> Next();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::string path_;
  NpyHeader header_;
  std::string row_;
  uint64_t read_ = 0;
};

/// A row as JSON: an array of numbers with every digit that matters.
void AppendNpyRow(std::string& out, NpyType type, std::string_view row);

}  // namespace roost
