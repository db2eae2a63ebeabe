#include "adapters/embedded/index/kernels.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {
namespace {

const Kernels* Best() {
  for (const Kernels* kernels : {Avx512Kernels(), Avx2Kernels()}) {
    if (kernels != nullptr) {
      return kernels;
    }
  }
  return ScalarKernels();
}

/// Null when the name is not known or the machine lacks the instructions.
const Kernels* Named(std::string_view name) {
  if (name.empty()) {
    return Best();
  }
  for (const Kernels* kernels : {ScalarKernels(), Avx2Kernels(), Avx512Kernels()}) {
    if (kernels != nullptr && kernels->name == name) {
      return kernels;
    }
  }
  return nullptr;
}

std::atomic<const Kernels*>& Active() {
  static std::atomic<const Kernels*> active = [] {
    const char* wanted = std::getenv("ROOST_SIMD");
    const Kernels* named = Named(wanted == nullptr ? "" : wanted);
    return named == nullptr ? Best() : named;
  }();
  return active;
}

}  // namespace

const Kernels& ActiveKernelTable() { return *Active().load(std::memory_order_acquire); }

std::string_view ActiveKernels() { return ActiveKernelTable().name; }

Status ForceKernels(std::string_view name) {
  const Kernels* kernels = Named(name);
  if (kernels == nullptr) {
    return InvalidArgument("SIMD kernels \"" + std::string(name) +
                           "\" are unknown or this machine lacks them; use scalar, avx2, avx512 or "
                           "nothing for the best");
  }
  Active().store(kernels, std::memory_order_release);
  return {};
}

}  // namespace roost::embedded
