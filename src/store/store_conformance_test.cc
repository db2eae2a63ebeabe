#include "store/conformance/conformance.h"
#include "store/fake_store.h"

namespace roost {
namespace {

const bool kRegistered = [] {
  RegisterConformanceTests(
      {.name = "Fake", .make = [] { return MakeFakeStore(); }, .prefix = "conformance_"});
  return true;
}();

}  // namespace
}  // namespace roost
