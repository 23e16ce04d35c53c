// Tidy the edges of what raster_texture drew: see edges.py, whose references say what each function means.

#include <algorithm>
#include <cmath>
#include <cstdint>

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
    for (int64_t y = box.top; y < box.bottom; ++y) {
        for (int64_t x = box.left; x < box.right; ++x) {
            const int64_t pixel = y * width + x;
            const float u = map_x[pixel], v = map_y[pixel];
            float largest = 0.0f;
            for (const int64_t step : {int64_t{1}, int64_t{-1}, width, -width})
                largest = std::max(largest, std::abs(map_x[pixel + step] - u) + std::abs(map_y[pixel + step] - v));
            if (largest <= jump) continue;
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
