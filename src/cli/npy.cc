#include "cli/npy.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/strings.h"
#include "store/half.h"

namespace roost {

namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kHeaderBytes = 128;
constexpr size_t kLongestHeader = 65'536;
constexpr uint64_t kMaxColumns = 1'000'000;

struct TypeName {
  std::string_view descr;
  NpyType type;
  size_t size;
};
constexpr std::array<TypeName, 7> kTypes = {{{"<f4", NpyType::kFloat32, 4},
                                             {"<f2", NpyType::kFloat16, 2},
                                             {"<f8", NpyType::kFloat64, 8},
                                             {"|i1", NpyType::kInt8, 1},
                                             {"|u1", NpyType::kUint8, 1},
                                             {"<i4", NpyType::kInt32, 4},
                                             {"<i8", NpyType::kInt64, 8}}};

// The text behind 'name': in the header's Python dictionary, up to the closing quote, bracket or
// comma.
std::string_view Entry(std::string_view dictionary, std::string_view name) {
  const size_t at = dictionary.find(fmt::format("'{}':", name));
  if (at == std::string_view::npos) {
    return {};
  }
  std::string_view rest = Trim(dictionary.substr(at + name.size() + 3));
  if (rest.starts_with('\'')) {
    rest.remove_prefix(1);
    return rest.substr(0, rest.find('\''));
  }
  if (rest.starts_with('(')) {
    return rest.substr(1, rest.find(')') - 1);
  }
  return Trim(rest.substr(0, rest.find_first_of(",}")));
}

Status ReadShape(std::string_view shape, NpyHeader& header) {
  std::vector<uint64_t> sizes;
  for (const std::string_view part : Split(shape, ',')) {
    if (!Trim(part).empty()) {
      sizes.push_back(TRY(ParseUint64(Trim(part))));
    }
  }
  if (sizes.empty() || sizes.size() > 2) {
    return InvalidArgument(
        fmt::format("an array of {} dimensions; one row a record is needed, so "
                    "at most 2",
                    sizes.size()));
  }
  header.rows = sizes[0];
  header.columns = sizes.size() == 2 ? sizes[1] : 1;
  if (header.columns == 0 || header.columns > kMaxColumns) {
    return InvalidArgument(fmt::format("rows of {} elements", header.columns));
  }
  return {};
}

template <typename Element, typename Append>
void AppendElements(std::string& out, std::string_view row, Append append) {
  out.push_back('[');
  for (size_t at = 0; at + sizeof(Element) <= row.size(); at += sizeof(Element)) {
    Element element;
    std::memcpy(&element, row.data() + at, sizeof(element));
    if (at > 0) {
      out.push_back(',');
    }
    append(element);
  }
  out.push_back(']');
}

}  // namespace

size_t NpySize(NpyType type) {
  for (const TypeName& known : kTypes) {
    if (known.type == type) {
      return known.size;
    }
  }
  return 0;
}

Result<NpyHeader> ParseNpyHeader(std::string_view bytes) {
  if (bytes.size() < 10 || !bytes.starts_with(kMagic)) {
    return InvalidArgument("this is no .npy file");
  }
  const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<uint8_t>(bytes[at])); };
  const bool wide = byte(6) >= 2;
  const size_t begin = wide ? 12 : 10;
  if (bytes.size() < begin) {
    return InvalidArgument("the .npy file ends within its header");
  }
  const size_t length =
      wide ? byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24 : byte(8) | byte(9) << 8;
  if (length > kLongestHeader || bytes.size() < begin + length) {
    return InvalidArgument("the .npy file ends within its header");
  }
  const std::string_view dictionary = bytes.substr(begin, length);
  NpyHeader header;
  header.data_offset = begin + length;
  const std::string_view descr = Entry(dictionary, "descr");
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const TypeName& known) { return known.descr == descr; });
  if (type == kTypes.end()) {
    return InvalidArgument(fmt::format(
        "elements of type \"{}\"; known are little-endian <f4, <f2, <f8, |i1, |u1, <i4, <i8",
        descr));
  }
  header.type = type->type;
  if (Entry(dictionary, "fortran_order") != "False") {
    return InvalidArgument("the array is stored by columns; save numpy.ascontiguousarray(a)");
  }
  TRY(ReadShape(Entry(dictionary, "shape"), header));
  return header;
}

std::string MakeNpyHeader(const NpyHeader& header) {
  std::string_view descr;
  for (const TypeName& known : kTypes) {
    descr = known.type == header.type ? known.descr : descr;
  }
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 descr, header.rows, header.columns);
  text.resize(kHeaderBytes - 10 - 1, ' ');
  text.push_back('\n');
  std::string out(kMagic);
  out.append({'\x01', '\x00', static_cast<char>(text.size()), '\x00'});
  return out + text;
}

Result<NpyReader> NpyReader::Open(const std::string& path) {
  NpyReader reader;
  reader.path_ = path;
  reader.file_.reset(std::fopen(path.c_str(), "rb"));
  if (reader.file_ == nullptr) {
    return NotFound(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  std::string head(kLongestHeader + 12, '\0');
  head.resize(std::fread(head.data(), 1, head.size(), reader.file_.get()));
  Result<NpyHeader> header = ParseNpyHeader(head);
  if (!header.ok()) {
    return header.error().Within(path);
  }
  reader.header_ = *header;
  struct stat status{};
  if (::fstat(::fileno(reader.file_.get()), &status) != 0) {
    return Unavailable(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  const uint64_t row_bytes = reader.header_.columns * NpySize(reader.header_.type);
  const uint64_t data = static_cast<uint64_t>(status.st_size) - reader.header_.data_offset;
  if (reader.header_.rows > data / row_bytes) {
    return DataLoss(fmt::format("{}: holds {} bytes of rows; its header promises {} rows of {}",
                                path, data, reader.header_.rows, row_bytes));
  }
  std::fseek(reader.file_.get(), static_cast<long>(reader.header_.data_offset), SEEK_SET);
  reader.row_.resize(row_bytes);
  return reader;
}

Result<std::string_view> NpyReader::Next() {
  if (read_ == header_.rows) {
    return std::string_view();
  }
  if (std::fread(row_.data(), 1, row_.size(), file_.get()) != row_.size()) {
    return DataLoss(fmt::format("{}: row {} cannot be read", path_, read_ + 1));
  }
  ++read_;
  return std::string_view(row_);
}

void AppendNpyRow(std::string& out, NpyType type, std::string_view row) {
  switch (type) {
    case NpyType::kFloat16:
      return AppendElements<uint16_t>(
          out, row, [&](uint16_t half) { AppendJsonFloat(out, HalfToFloat(half)); });
    case NpyType::kFloat32:
      return AppendElements<float>(out, row, [&](float number) { AppendJsonFloat(out, number); });
    case NpyType::kFloat64:
      return AppendElements<double>(out, row,
                                    [&](double number) { AppendJsonDouble(out, number); });
    case NpyType::kInt8:
      return AppendElements<int8_t>(out, row, [&](int8_t number) { AppendJsonInt(out, number); });
    case NpyType::kUint8:
      return AppendElements<uint8_t>(out, row, [&](uint8_t number) { AppendJsonInt(out, number); });
    case NpyType::kInt32:
      return AppendElements<int32_t>(out, row, [&](int32_t number) { AppendJsonInt(out, number); });
    case NpyType::kInt64:
      return AppendElements<int64_t>(out, row, [&](int64_t number) { AppendJsonInt(out, number); });
  }
}

}  // namespace roost
