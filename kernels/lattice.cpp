// Move a picture by a coarse grid: see lattice.py, whose references say what each function means.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "export.h"
#include "simd.h"

namespace {

constexpr int kSteps = 64;  // lattice.STEPS
constexpr int kShift = 6;   // its logarithm
constexpr int kRounds = 5;       // lattice.ROUNDS
constexpr float kFlattest = 0.25f;  // lattice.FLATTEST

struct Weights {
    int16_t of[kSteps][4];
};

// One table per process, made by lattice.py.
Weights table;

struct Grid {
    const float* moved;  // [rows][columns][2]
    int64_t rows, columns;
    float left, top, cell_x, cell_y;

    // The displacement at a place, bilinear, and how it changes a pixel along and down.
    void at(float x, float y, float* d, float* along, float* down) const {
        const float u = std::min(float(columns - 1), std::max(0.0f, (x - left) / cell_x));
        const float v = std::min(float(rows - 1), std::max(0.0f, (y - top) / cell_y));
        const int64_t column = std::min<int64_t>(int64_t(u), columns - 2);
        const int64_t row = std::min<int64_t>(int64_t(v), rows - 2);
        const float s = u - float(column), t = v - float(row);
        const float* a = moved + 2 * (row * columns + column);
        const float* b = a + 2 * columns;
        for (int axis = 0; axis < 2; ++axis) {
            const float upper = a[2 + axis] - a[axis], lower = b[2 + axis] - b[axis];
            const float first = a[axis] + s * upper, second = b[axis] + s * lower;
            d[axis] = first + t * (second - first);
            along[axis] = (upper + t * (lower - upper)) / cell_x;
            down[axis] = (second - first) / cell_y;
        }
    }
};

// Displacements along one row of pixels from a lattice.
struct Row {
    const float* upper;
    const float* lower;
    float t;

    Row(const float* lattice, int64_t columns, int64_t step, int64_t y)
        : upper(lattice + 2 * columns * (y / step)), lower(upper + 2 * columns), t(float(y % step) / float(step)) {}

    float at(int64_t column, int axis) const {
        const float a = upper[2 * column + axis], b = lower[2 * column + axis];
        return a + t * (b - a);
    }

    bool still(int64_t column) const {
        for (int k = 0; k < 4; ++k)
            if (upper[2 * column + k] != 0.0f || lower[2 * column + k] != 0.0f) return false;
        return true;
    }

    // Where pixels x = begin to end - 1, all in one cell, come from.
    void fill(int64_t column, int64_t step, int64_t begin, int64_t end, float y, float* __restrict map_x,
              float* __restrict map_y) const {
        const float ax = at(column, 0), bx = at(column + 1, 0) - ax;
        const float ay = at(column, 1), by = at(column + 1, 1) - ay;
        const float inverse = 1.0f / float(step);
        const int32_t first = int32_t(begin), into = int32_t(begin - column * step), count = int32_t(end - begin);
        for (int32_t k = 0; k < count; ++k) {
            const float s = float(into + k) * inverse;
            map_x[k] = float(first + k) + (ax + s * bx);
            map_y[k] = y + (ay + s * by);
        }
    }
};

void fill_row(const Row& row, int64_t step, int64_t begin, int64_t end, float y, float* map_x, float* map_y) {
    for (int64_t x = begin; x < end;) {
        const int64_t column = x / step, next = std::min((column + 1) * step, end);
        row.fill(column, step, x, next, y, map_x + (x - begin), map_y + (x - begin));
        x = next;
    }
}

// Where one row's pixels come from: the first of 4 x 4 pixels, counted from the source's beginning, and which
// weights they get across and down.
struct Taps {
    std::vector<int32_t> first, across, down;

    explicit Taps(size_t count) : first(count, 0), across(count, 0), down(count, 0) {}

    void find(const float* map_x, const float* map_y, int64_t count, float margin, float furthest_x,
              float furthest_y, int32_t width) {
        // In this order of operands what is not a number becomes 1.
        int32_t* __restrict to_first = first.data();
        int32_t* __restrict to_across = across.data();
        int32_t* __restrict to_down = down.data();
        for (int32_t i = 0; i < int32_t(count); ++i) {
            const float x = std::min(furthest_x, std::max(1.0f, map_x[i] + margin));
            const float y = std::min(furthest_y, std::max(1.0f, map_y[i] + margin));
            const int32_t u = int32_t(x * kSteps + 0.5f), v = int32_t(y * kSteps + 0.5f);
            to_first[i] = ((v >> kShift) - 1) * width + (u >> kShift) - 1;
            to_across[i] = u & (kSteps - 1);
            to_down[i] = v & (kSteps - 1);
        }
    }
};

void sample_portable(const uint8_t* source, int64_t width, const Taps& taps, int64_t begin, int64_t end,
                     uint8_t* out) {
    for (int64_t i = begin; i < end; ++i) {
        const int16_t* across = table.of[taps.across[i]];
        const int16_t* down = table.of[taps.down[i]];
        int32_t total[4] = {1 << 15, 1 << 15, 1 << 15, 1 << 15};
        for (int row = 0; row < 4; ++row) {
            const uint8_t* pixel = source + 4 * (taps.first[i] + row * width);
            for (int channel = 0; channel < 4; ++channel) {
                int32_t value = 1 << 5;
                for (int k = 0; k < 4; ++k) value += across[k] * pixel[4 * k + channel];
                total[channel] += down[row] * (value >> 6);
            }
        }
        for (int channel = 0; channel < 4; ++channel)
            out[4 * i + channel] = static_cast<uint8_t>(std::min(std::max(total[channel] >> 16, 0), 255));
    }
}

#ifdef MIEN_AVX2
__attribute__((target("avx2"))) inline __m256i both_weights(const int16_t* one, const int16_t* other) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(one))),
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(other)), 1);
}

// Two pixels at a time, one in each half of a register. The same integers as sample_portable.
__attribute__((target("avx2"))) void sample_avx2(const uint8_t* source, int64_t width, const Taps& taps,
                                                 int64_t count, uint8_t* out) {
    const __m256i pairs = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15));
    const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << 5);
    for (int64_t i = 0; i + 1 < count; i += 2) {
        const uint8_t* one = source + 4 * int64_t(taps.first[i]);
        const uint8_t* other = source + 4 * int64_t(taps.first[i + 1]);
        __m256i taken[4], rows[4];
        for (int row = 0; row < 4; ++row) {
            const int64_t offset = 4 * row * width;
            taken[row] = _mm256_inserti128_si256(
                _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(one + offset))),
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(other + offset)), 1);
        }
        const __m256i any = _mm256_or_si256(_mm256_or_si256(taken[0], taken[1]), _mm256_or_si256(taken[2], taken[3]));
        if (_mm256_testz_si256(any, any)) {  // nothing of the person
            std::memset(out + 4 * i, 0, 8);
            continue;
        }
        const __m256i across = both_weights(table.of[taps.across[i]], table.of[taps.across[i + 1]]);
        const __m256i down = both_weights(table.of[taps.down[i]], table.of[taps.down[i + 1]]);
        const __m256i left = _mm256_shuffle_epi32(across, 0x00), right = _mm256_shuffle_epi32(across, 0x55);
        for (int row = 0; row < 4; ++row) {
            const __m256i pixels = _mm256_shuffle_epi8(taken[row], pairs);
            const __m256i value = _mm256_add_epi32(
                _mm256_madd_epi16(_mm256_unpacklo_epi8(pixels, zero), left),
                _mm256_madd_epi16(_mm256_unpackhi_epi8(pixels, zero), right));
            rows[row] = _mm256_srai_epi32(_mm256_add_epi32(value, half), 6);
        }
        const __m256i upper = _mm256_blend_epi16(rows[0], _mm256_slli_epi32(rows[1], 16), 0xAA);
        const __m256i lower = _mm256_blend_epi16(rows[2], _mm256_slli_epi32(rows[3], 16), 0xAA);
        __m256i total = _mm256_add_epi32(_mm256_madd_epi16(upper, _mm256_shuffle_epi32(down, 0x00)),
                                         _mm256_madd_epi16(lower, _mm256_shuffle_epi32(down, 0x55)));
        total = _mm256_srai_epi32(_mm256_add_epi32(total, _mm256_set1_epi32(1 << 15)), 16);
        const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(total, zero), zero);
        const int32_t first = _mm256_extract_epi32(bytes, 0), second = _mm256_extract_epi32(bytes, 4);
        std::memcpy(out + 4 * i, &first, 4);
        std::memcpy(out + 4 * i + 4, &second, 4);
    }
    _mm256_zeroupper();  // else what follows pays for the registers' upper halves
    sample_portable(source, width, taps, count & ~int64_t{1}, count, out);
}
#endif

void sample(const uint8_t* source, int64_t width, const Taps& taps, int64_t count, uint8_t* out) {
#ifdef MIEN_AVX2
    if (may_use_avx2()) return sample_avx2(source, width, taps, count, out);
#endif
    sample_portable(source, width, taps, 0, count, out);
}

// RGB of what was sampled; where its alpha is not full, the ground shows through.
void lay_down(const uint8_t* pixels, int64_t count, const uint8_t* ground, uint8_t* out) {
    for (int64_t i = 0; i < count; ++i) {
        const uint8_t* pixel = pixels + 4 * i;
        const int through = 255 - pixel[3];
        if (through == 0) {
            std::memcpy(out + 3 * i, pixel, 3);
            continue;
        }
        if ((pixel[0] | pixel[1] | pixel[2] | pixel[3]) == 0) {
            std::memcpy(out + 3 * i, ground + 3 * i, 3);
            continue;
        }
        for (int channel = 0; channel < 3; ++channel) {
            const int behind = (through * ground[3 * i + channel] + 127) / 255;
            out[3 * i + channel] = static_cast<uint8_t>(std::min(pixel[channel] + behind, 255));
        }
    }
}

}  // namespace

MIEN_EXPORT void set_weights(const int16_t* weights) { std::memcpy(table.of, weights, sizeof(table.of)); }

MIEN_EXPORT void invert_grid(const float* moved, int64_t rows, int64_t columns, const float* layout, float* lattice,
                             int64_t lattice_rows, int64_t lattice_columns, int64_t step) {
    const Grid grid{moved, rows, columns, layout[0], layout[1], layout[2], layout[3]};
    for (int64_t j = 0; j < lattice_rows; ++j) {
        for (int64_t i = 0; i < lattice_columns; ++i) {
            const float x = float(i * step), y = float(j * step);
            float d[2], along[2], down[2], u = x, v = y;
            for (int round = 0; round < kRounds; ++round) {
                grid.at(u, v, d, along, down);
                const float off_x = x - (u + d[0]), off_y = y - (v + d[1]);
                const float a = 1.0f + along[0], e = 1.0f + down[1];
                const float determinant = a * e - along[1] * down[0];
                if (determinant > kFlattest) {
                    u += (off_x * e - off_y * down[0]) / determinant;
                    v += (off_y * a - off_x * along[1]) / determinant;
                } else {
                    u += off_x;
                    v += off_y;
                }
            }
            float* out = lattice + 2 * (j * lattice_columns + i);
            out[0] = u - x;
            out[1] = v - y;
        }
    }
}

MIEN_EXPORT void fill_map(const float* lattice, int64_t columns, int64_t step, const int64_t* box, float* map_x,
                          float* map_y, int64_t width) {
    for (int64_t y = box[1]; y < box[3]; ++y) {
        const int64_t first = y * width + box[0];
        fill_row(Row(lattice, columns, step, y), step, box[0], box[2], float(y), map_x + first, map_y + first);
    }
}

MIEN_EXPORT void sample_moved(const uint8_t* source, int64_t source_height, int64_t source_width, int64_t margin,
                              const float* lattice, int64_t columns, int64_t step, const float* map_x,
                              const float* map_y, const int64_t* mapped, const uint8_t* ground,
                              const uint8_t* rest, const int64_t* window, uint8_t* picture, int64_t width) {
    const float furthest_x = float(source_width - 4), furthest_y = float(source_height - 4);
    const size_t longest = static_cast<size_t>(width);
    std::vector<float> row_x(longest, 0.0f), row_y(longest, 0.0f);
    Taps taps(longest);
    std::vector<uint8_t> pixels(4 * longest, 0);
    for (int64_t y = window[1]; y < window[3]; ++y) {
        const Row row(lattice, columns, step, y);
        const bool inside = y >= mapped[1] && y < mapped[3];
        for (int64_t x = window[0]; x < window[2];) {
            const float* from_x = row_x.data();
            const float* from_y = row_y.data();
            int64_t end;
            if (inside && x >= mapped[0] && x < mapped[2]) {
                end = std::min(mapped[2], window[2]);
                from_x = map_x + y * width + x;
                from_y = map_y + y * width + x;
            } else {
                end = inside && x < mapped[0] ? std::min(mapped[0], window[2]) : window[2];
                const bool still = row.still(x / step);
                // A run of cells that are all at rest, or all moved.
                int64_t stop = std::min((x / step + 1) * step, end);
                while (stop < end && row.still(stop / step) == still) stop = std::min(stop + step, end);
                end = stop;
                if (still) {
                    const int64_t first = 3 * (y * width + x);
                    std::memcpy(picture + first, rest + first, size_t(3 * (end - x)));
                    x = end;
                    continue;
                }
                fill_row(row, step, x, end, float(y), row_x.data(), row_y.data());
            }
            const int64_t first = y * width + x;
            taps.find(from_x, from_y, end - x, float(margin), furthest_x, furthest_y, int32_t(source_width));
            sample(source, source_width, taps, end - x, pixels.data());
            lay_down(pixels.data(), end - x, ground + 3 * first, picture + 3 * first);
            x = end;
        }
    }
}
