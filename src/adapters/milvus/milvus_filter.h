#pragma once

#include <string>
#include <vector>

#include "adapters/milvus/milvus_layout.h"
#include "base/result.h"
#include "store/filter.h"

namespace roost {

/// A filter in Milvus' language. What Milvus 2.3 cannot say, or says differently from filter.h, is
/// left out of the text, so that it lets through more; then `exact` is false and whoever reads the
/// records judges them again with Matches().
struct MilvusFilter {
  std::string text;      ///< empty: lets everything through
  bool exact = true;     ///< the text alone decides
  bool nothing = false;  ///< no record can match; the text means nothing
  /// The scalar fields that Matches() needs; only where not exact.
  OutputFields needed{.all_scalars = false};
};

/// kInvalidArgument when the filter was made for another schema than the layout's.
Status CheckFilter(const Filter& filter, const MilvusLayout& layout);

/// Precondition: CheckFilter said yes; null lets everything through.
MilvusFilter TranslateFilter(const Filter* filter, const MilvusLayout& layout);

/// Both conditions; an empty one lets everything through.
std::string AndTexts(const std::string& a, const std::string& b);

}  // namespace roost
