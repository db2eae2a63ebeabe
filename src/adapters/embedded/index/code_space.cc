#include "adapters/embedded/index/code_space.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "store/half.h"

namespace roost::embedded {
namespace {

constexpr size_t kSampleRows = 4'096;
constexpr float kFarAway = 1e30f;

double SquaredLength(std::span<const float> values) {
  // The float sum is exact enough unless it left float's range.
  const float sum = ActiveKernelTable().dot[0](values.data(), values.data(), values.size());
  if (std::isfinite(sum) && sum > 1e-30f) {
    return sum;
  }
  double wide = 0;
  for (float value : values) {
    wide += static_cast<double>(value) * value;
  }
  return wide;
}

/// What the metric multiplies a vector with before the centre is subtracted.
double FactorOf(Metric metric, double squared_length) {
  return metric == Metric::kCosine && squared_length > 0 ? 1.0 / std::sqrt(squared_length) : 1.0;
}

}  // namespace

void DecodeRow(DataType type, const std::byte* bytes, std::span<float> out) {
  switch (type) {
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      for (size_t i = 0; i < out.size(); ++i) {
        uint16_t bits;
        std::memcpy(&bits, bytes + i * 2, 2);
        out[i] = type == DataType::kFloat16Vector ? HalfToFloat(bits) : BFloat16ToFloat(bits);
      }
      break;
    case DataType::kInt8Vector:
      for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<float>(static_cast<int8_t>(bytes[i]));
      }
      break;
    default:
      std::memcpy(out.data(), bytes, out.size() * sizeof(float));
      break;
  }
}

SpaceFit CodeSpace::Fit(const VectorColumn& column, std::span<const uint32_t> rows) {
  const auto row = [&](uint32_t slot) { return column.data + slot * column.stride; };
  std::vector<float> values(column.dimension);
  SpaceFit fit{.center = std::vector<float>(column.dimension, 0.0f)};
  const size_t step = std::max<size_t>(1, rows.size() / kSampleRows);
  std::vector<double> sums(column.dimension, 0.0);
  size_t counted = 0;
  double longest = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool sampled = i % step == 0;
    if (!sampled && column.metric != Metric::kInnerProduct) {
      continue;
    }
    DecodeRow(column.type, row(rows[i]), values);
    const double squared = SquaredLength(values);
    // One vector out of all bounds must not cost the others their precision.
    if (!std::isfinite(squared) || (column.metric != Metric::kCosine && squared >= kFarAway)) {
      continue;
    }
    longest = std::max(longest, squared);
    if (sampled) {
      const double factor = FactorOf(column.metric, squared);
      for (size_t j = 0; j < sums.size(); ++j) {
        sums[j] += factor * values[j];
      }
      ++counted;
    }
  }
  for (size_t j = 0; j < sums.size() && counted > 0; ++j) {
    fit.center[j] = static_cast<float>(sums[j] / static_cast<double>(counted));
  }
  if (column.metric == Metric::kInnerProduct) {
    fit.radius = static_cast<float>(std::sqrt(longest));
  }
  const CodeSpace space(column.type, column.metric, fit);
  std::vector<uint8_t> code(CodeStride(column.dimension));
  double scales = 0;
  double lengths = 0;
  for (size_t i = 0; i < rows.size(); i += step) {
    const Row encoded = space.EncodeRow(row(rows[i]), code.data(), values);
    const bool far = encoded.scale.bias >= kFarAway;
    scales += far ? 0 : static_cast<double>(encoded.scale.scale) * encoded.scale.scale;
    lengths += far ? 0 : encoded.scale.bias;
  }
  const double sampled = static_cast<double>(std::max<size_t>(1, counted));
  fit.typical_scale = static_cast<float>(std::sqrt(scales / sampled));
  fit.typical_length = static_cast<float>(std::sqrt(lengths / sampled));
  return fit;
}

CodeSpace::CodeSpace(DataType type, Metric metric, SpaceFit fit)
    : type_(type), metric_(metric), fit_(std::move(fit)) {}

CodeSpace::Row CodeSpace::EncodeRow(const std::byte* row, uint8_t* code,
                                    std::vector<float>& buffer) const {
  const Kernels& kernels = ActiveKernelTable();
  const size_t dimension = fit_.center.size();
  buffer.resize(dimension);
  DecodeRow(type_, row, buffer);
  const double squared = SquaredLength(buffer);
  const double factor = FactorOf(metric_, squared);
  const float length = kernels.shift(buffer.data(), static_cast<float>(factor), fit_.center.data(),
                                     dimension, buffer.data());
  std::memset(code, 0x80, CodeStride(dimension));
  if (!std::isfinite(length) || length >= kFarAway) {
    return {.scale = {.scale = 0, .bias = kFarAway}};
  }
  const Encoded encoded = kernels.encode(buffer.data(), dimension, reinterpret_cast<int8_t*>(code));
  for (size_t i = 0; i < dimension; ++i) {
    code[i] ^= 0x80;
  }
  Row result{.scale = {.scale = encoded.scale, .bias = length}};
  if (metric_ == Metric::kInnerProduct) {
    const double radius = fit_.radius;
    const double lift = std::max(0.0, radius * radius - squared);
    result.lift = static_cast<float>(std::sqrt(lift));
    result.scale.bias = static_cast<float>(length + lift);
  }
  return result;
}

void CodeSpace::EncodeQuery(const std::byte* query, EncodedQuery& out) const {
  const Kernels& kernels = ActiveKernelTable();
  const size_t dimension = fit_.center.size();
  out.values.resize(dimension);
  out.codes.assign(CodeStride(dimension), 0);
  DecodeRow(type_, query, out.values);
  const double squared = SquaredLength(out.values);
  const double factor = FactorOf(metric_, squared);
  const float norm = kernels.shift(out.values.data(), static_cast<float>(factor),
                                   fit_.center.data(), dimension, out.values.data());
  if (!std::isfinite(norm)) {  // Every row is as good as another.
    out.factor = 0;
    out.offset = 0;
    out.rank_shift = 0;
    out.error = kFarAway;
    return;
  }
  const Encoded encoded = kernels.encode(out.values.data(), dimension, out.codes.data());
  out.factor = 2 * encoded.scale;
  out.offset = 128 * encoded.sum;
  out.rank_shift = -static_cast<double>(norm);
  if (metric_ == Metric::kInnerProduct) {
    const double radius = fit_.radius;
    out.rank_shift += radius * radius + squared;
  }
  // Rounding errors are uniform: the deviation of one is scale / √12.
  const double from_query = static_cast<double>(fit_.typical_length) * encoded.scale;
  const double from_row = std::sqrt(static_cast<double>(norm)) * fit_.typical_scale;
  out.error =
      static_cast<float>(2 * std::sqrt((from_query * from_query + from_row * from_row) / 12.0));
}

float CodeSpace::Rank(const EncodedQuery& query, float distance) const {
  const double wide = distance;
  const double rank = metric_ == Metric::kL2 ? wide * wide : 2 * wide;
  return static_cast<float>(rank + query.rank_shift);
}

}  // namespace roost::embedded
