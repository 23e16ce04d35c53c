// Blur a plane on the CPU: see blur.py, whose reference says what it means.

#include <algorithm>
#include <cstdint>

#include "export.h"

MIEN_EXPORT void blur(const float* plane, int64_t height, int64_t width, const float* across, int64_t across_count,
                      const float* down, int64_t down_count, float* rows, float* blurred) {
    const int64_t before = across_count / 2, above = down_count / 2;
    std::fill(rows, rows + height * width, 0.0f);
    std::fill(blurred, blurred + height * width, 0.0f);
    for (int64_t y = 0; y < height; ++y) {
        const float* __restrict from = plane + y * width;
        float* __restrict to = rows + y * width;
        for (int64_t k = 0; k < across_count; ++k) {
            const int64_t shift = k - before;
            const int64_t first = std::max<int64_t>(-shift, 0), last = std::min(width - shift, width);
            for (int64_t x = first; x < last; ++x) to[x] += across[k] * from[x + shift];
        }
    }
    for (int64_t y = 0; y < height; ++y) {
        float* __restrict to = blurred + y * width;
        for (int64_t k = 0; k < down_count; ++k) {
            const int64_t row = y + k - above;
            if (row < 0 || row >= height) continue;
            const float* __restrict from = rows + row * width;
            for (int64_t x = 0; x < width; ++x) to[x] += down[k] * from[x];
        }
    }
}
