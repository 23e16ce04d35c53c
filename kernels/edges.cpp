// Tidy the edges of what raster_texture drew: see edges.py, whose references say what each function means.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "export.h"

namespace {

struct Box {
    int64_t left, top, right, bottom;

    // The outermost pixels are left alone: every pixel of the box has eight neighbours.
    Box(const int64_t* box, int64_t height, int64_t width)
        : left(std::max<int64_t>(box[0], 1)),
          top(std::max<int64_t>(box[1], 1)),
          right(std::min(box[2], width - 1)),
          bottom(std::min(box[3], height - 1)) {}
};

// How far the map jumps from each of a row's pixels to the furthest of its four neighbours.
void measure_jumps(const float* __restrict u, const float* __restrict v, int64_t width, int64_t count,
                   float* __restrict jumps) {
    for (int32_t x = 0; x < static_cast<int32_t>(count); ++x) {
        const float right = std::abs(u[x + 1] - u[x]) + std::abs(v[x + 1] - v[x]);
        const float left = std::abs(u[x - 1] - u[x]) + std::abs(v[x - 1] - v[x]);
        const float below = std::abs(u[x + width] - u[x]) + std::abs(v[x + width] - v[x]);
        const float above = std::abs(u[x - width] - u[x]) + std::abs(v[x - width] - v[x]);
        jumps[x] = std::max(std::max(right, left), std::max(below, above));
    }
}

}  // namespace

MIEN_EXPORT void spread_map(float* map_x, float* map_y, const float* depth, int64_t height, int64_t width,
                            const int64_t* corners) {
    const Box box(corners, height, width);
    for (int64_t y = box.top; y < box.bottom; ++y) {
        for (int64_t x = box.left; x < box.right; ++x) {
            const int64_t pixel = y * width + x;
            if (std::isfinite(depth[pixel])) continue;
            int count = 0;
            double total_x = 0.0, total_y = 0.0;
            for (int dy = -1; dy <= 1; ++dy) {
                for (int dx = -1; dx <= 1; ++dx) {
                    const int64_t neighbour = pixel + dy * width + dx;
                    if (!std::isfinite(depth[neighbour])) continue;
                    ++count;
                    total_x += static_cast<double>(map_x[neighbour]) - dx;
                    total_y += static_cast<double>(map_y[neighbour]) - dy;
                }
            }
            if (count == 0) continue;
            map_x[pixel] = static_cast<float>(total_x / count);
            map_y[pixel] = static_cast<float>(total_y / count);
        }
    }
}

MIEN_EXPORT void soften_jumps(uint8_t* picture, const uint8_t* source, const float* map_x, const float* map_y,
                              int64_t height, int64_t width, const int64_t* corners, float jump) {
    const Box box(corners, height, width);
    if (box.left >= box.right) return;
    std::vector<float> jumps(static_cast<size_t>(box.right - box.left), 0.0f);
    for (int64_t y = box.top; y < box.bottom; ++y) {
        measure_jumps(map_x + y * width + box.left, map_y + y * width + box.left, width, box.right - box.left,
                      jumps.data());
        for (int64_t x = box.left; x < box.right; ++x) {
            if (jumps[static_cast<size_t>(x - box.left)] <= jump) continue;
            const int64_t pixel = y * width + x;
            for (int64_t channel = 0; channel < 3; ++channel) {
                const uint8_t* centre = source + 3 * pixel + channel;
                const int64_t row = 3 * width;
                const int total = 4 * centre[0] + 2 * (centre[-row] + centre[row] + centre[-3] + centre[3])
                                + centre[-row - 3] + centre[-row + 3] + centre[row - 3] + centre[row + 3] + 8;
                picture[3 * pixel + channel] = static_cast<uint8_t>(total / 16);
            }
        }
    }
}
