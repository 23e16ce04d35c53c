// Mix a part of the photo with another picture of it, on the CPU: see fade.py, whose reference says what it means.

#include <cstdint>

#include "export.h"

MIEN_EXPORT void fade(uint8_t* source, int64_t width, const uint8_t* rest, const uint8_t* goal, int64_t rows,
                      int64_t columns, int64_t left, int64_t top, float share) {
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
            const int64_t from = 3 * (row * columns + column), to = 4 * ((top + row) * width + left + column);
            for (int channel = 0; channel < 3; ++channel) {
                const float first = rest[from + channel];
                const float mixed = first + share * (float(goal[from + channel]) - first) + 0.5f;
                source[to + channel] = static_cast<uint8_t>(mixed);
            }
        }
    }
}
