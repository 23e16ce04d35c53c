// See simd.h.

#include "simd.h"

#include <atomic>
#include <cstdint>

#include "export.h"

namespace {

std::atomic<bool> allowed{true};

}  // namespace

#ifdef MIEN_AVX2
bool may_use_avx2() {
    static const bool has = __builtin_cpu_supports("avx2");
    return has && allowed.load(std::memory_order_relaxed);
}
#endif

MIEN_EXPORT void allow_avx2(int64_t yes) { allowed.store(yes != 0); }
