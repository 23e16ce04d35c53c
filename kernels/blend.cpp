// Move vertices: see blend.py, whose references say what each function means.

#include <cstdint>
#include <cstring>

#include "export.h"

MIEN_EXPORT void blend(const float* rest, int64_t vertices, const int64_t* starts, const int32_t* rows,
                       const float* deltas, const float* weights, int64_t shapes, float* positions) {
    std::memcpy(positions, rest, sizeof(float) * 3 * vertices);
    for (int64_t k = 0; k < shapes; ++k) {
        const float weight = weights[k];
        if (weight == 0.0f) continue;
        for (int64_t m = starts[k]; m < starts[k + 1]; ++m) {
            float* vertex = positions + 3 * rows[m];
            for (int axis = 0; axis < 3; ++axis) vertex[axis] += weight * deltas[3 * m + axis];
        }
    }
}

MIEN_EXPORT void turn(float* positions, int64_t vertices, const float* share, const float* rotation,
                      const float* pivot, const float* shift) {
    for (int64_t v = 0; v < vertices; ++v) {
        float* vertex = positions + 3 * v;
        const float centred[3] = {vertex[0] - pivot[0], vertex[1] - pivot[1], vertex[2] - pivot[2]};
        for (int axis = 0; axis < 3; ++axis) {
            const float* row = rotation + 3 * axis;
            const float turned = row[0] * centred[0] + row[1] * centred[1] + row[2] * centred[2];
            vertex[axis] += share[v] * (turned - centred[axis] + shift[axis]);
        }
    }
}
