// Least squares with a prior, inside a box: see ridge.py, whose reference says what it means.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "export.h"

// solution holds the start, and then the minimum.
MIEN_EXPORT void solve_in_box(const double* gram, const double* pull, const double* low, const double* high,
                              double* solution, int64_t count, int64_t sweeps, double still) {
    for (int64_t sweep = 0; sweep < sweeps; ++sweep) {
        double furthest = 0.0;
        for (int64_t i = 0; i < count; ++i) {
            const double* row = gram + i * count;
            double slope = pull[i];
            for (int64_t j = 0; j < count; ++j) slope -= row[j] * solution[j];
            const double moved = std::min(std::max(solution[i] + slope / row[i], low[i]), high[i]);
            furthest = std::max(furthest, std::abs(moved - solution[i]));
            solution[i] = moved;
        }
        if (furthest < still) return;
    }
}
