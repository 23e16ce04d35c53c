// Draw triangles on the CPU: see raster.py, whose references say what each function means.
// Strict double arithmetic in the references' order (built with -ffp-contract=off): the bits agree.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "export.h"
#include "simd.h"

namespace {

constexpr double kEdge = 1e-5;    // raster.EDGE
constexpr double kSliver = 1e-8;  // raster.SLIVER

struct Triangle {
    double ax, ay, second_x, second_y, third_x, third_y;
    int left, right, top, bottom;
};

// False for a sliver, or for a triangle that misses the picture.
bool prepare(const float* positions, const int32_t* corners, int width, int height, Triangle& triangle) {
    const float* a = positions + 3 * corners[0];
    const float* b = positions + 3 * corners[1];
    const float* c = positions + 3 * corners[2];
    const double ax = a[0], ay = a[1], bx = b[0], by = b[1], cx = c[0], cy = c[1];
    // Clamped before the conversion: a vertex may lie anywhere.
    triangle.left = static_cast<int>(std::ceil(std::clamp(std::min({ax, bx, cx}), 0.0, double(width))));
    triangle.right = static_cast<int>(std::floor(std::clamp(std::max({ax, bx, cx}), -1.0, double(width - 1))));
    triangle.top = static_cast<int>(std::ceil(std::clamp(std::min({ay, by, cy}), 0.0, double(height))));
    triangle.bottom = static_cast<int>(std::floor(std::clamp(std::max({ay, by, cy}), -1.0, double(height - 1))));
    if (triangle.left > triangle.right || triangle.top > triangle.bottom) return false;
    const double area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (!(std::abs(area) >= kSliver)) return false;
    const double inverse = 1.0 / area;
    triangle.ax = ax;
    triangle.ay = ay;
    triangle.second_x = (cy - ay) * inverse;
    triangle.second_y = (ax - cx) * inverse;
    triangle.third_x = (ay - by) * inverse;
    triangle.third_y = (bx - ax) * inverse;
    return true;
}

// Calls draw(pixel, second, third) for every pixel centre inside the triangle.
template <typename Draw>
void scan(const Triangle& triangle, int width, Draw draw) {
    for (int y = triangle.top; y <= triangle.bottom; ++y) {
        const double row_second = (y - triangle.ay) * triangle.second_y;
        const double row_third = (y - triangle.ay) * triangle.third_y;
        for (int x = triangle.left; x <= triangle.right; ++x) {
            const double second = (x - triangle.ax) * triangle.second_x + row_second;
            const double third = (x - triangle.ax) * triangle.third_x + row_third;
            if (second >= -kEdge && third >= -kEdge && second + third <= 1.0 + kEdge)
                draw(static_cast<int64_t>(y) * width + x, second, third);
        }
    }
}

// A value that varies linearly over a triangle.
struct Plane {
    double first, along_second, along_third;
    Plane(float a, float b, float c) : first(a), along_second(double(b) - a), along_third(double(c) - a) {}
    float at(double second, double third) const {
        return static_cast<float>(first + second * along_second + third * along_third);
    }
};

#ifdef MIEN_AVX2
// Four pixels of a row at a time, in the order of operations of scan and Plane: the bits agree.
struct Four {
    __m256d second, third;
    __m128i inside;
};

__attribute__((target("avx2"))) inline Four four_pixels(const Triangle& triangle, int x, double row_second,
                                                        double row_third) {
    const __m256d ahead = _mm256_sub_pd(_mm256_setr_pd(x, x + 1.0, x + 2.0, x + 3.0), _mm256_set1_pd(triangle.ax));
    const __m256d second = _mm256_add_pd(_mm256_mul_pd(ahead, _mm256_set1_pd(triangle.second_x)),
                                         _mm256_set1_pd(row_second));
    const __m256d third = _mm256_add_pd(_mm256_mul_pd(ahead, _mm256_set1_pd(triangle.third_x)),
                                        _mm256_set1_pd(row_third));
    const __m256d low = _mm256_set1_pd(-kEdge), high = _mm256_set1_pd(1.0 + kEdge);
    const __m256d both = _mm256_and_pd(_mm256_cmp_pd(second, low, _CMP_GE_OQ), _mm256_cmp_pd(third, low, _CMP_GE_OQ));
    const __m256d inside = _mm256_and_pd(both, _mm256_cmp_pd(_mm256_add_pd(second, third), high, _CMP_LE_OQ));
    const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_castpd_si256(inside),
                                                       _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    const __m128i within = _mm_cmplt_epi32(_mm_setr_epi32(x, x + 1, x + 2, x + 3), _mm_set1_epi32(triangle.right + 1));
    return {second, third, _mm_and_si128(_mm256_castsi256_si128(packed), within)};
}

__attribute__((target("avx2"))) inline __m128 at_four(const Plane& plane, const Four& pixels) {
    const __m256d along = _mm256_add_pd(_mm256_set1_pd(plane.first),
                                        _mm256_mul_pd(pixels.second, _mm256_set1_pd(plane.along_second)));
    return _mm256_cvtpd_ps(
        _mm256_add_pd(along, _mm256_mul_pd(pixels.third, _mm256_set1_pd(plane.along_third))));
}

__attribute__((target("avx2"))) inline void store_four(float* plane, __m128 drawn, __m128 values) {
    _mm_storeu_ps(plane, _mm_blendv_ps(_mm_loadu_ps(plane), values, drawn));
}

__attribute__((target("avx2"))) void coverage_avx2(const float* positions, const int32_t* triangles, int64_t count,
                                                   uint8_t* coverage, int64_t height, int64_t width) {
    Triangle triangle;
    for (int64_t t = 0; t < count; ++t) {
        if (!prepare(positions, triangles + 3 * t, width, height, triangle)) continue;
        for (int y = triangle.top; y <= triangle.bottom; ++y) {
            const double row_second = (y - triangle.ay) * triangle.second_y;
            const double row_third = (y - triangle.ay) * triangle.third_y;
            for (int x = triangle.left; x <= triangle.right; x += 4) {
                const __m128i inside = four_pixels(triangle, x, row_second, row_third).inside;
                if (_mm_testz_si128(inside, inside)) continue;
                uint8_t* pixel = coverage + static_cast<int64_t>(y) * width + x;
                const int bytes = _mm_cvtsi128_si32(_mm_packs_epi16(_mm_packs_epi32(inside, inside), inside));
                if (x + 4 <= width) {
                    int32_t held;
                    std::memcpy(&held, pixel, 4);
                    held |= bytes;
                    std::memcpy(pixel, &held, 4);
                } else {
                    for (int k = 0; x + k < width; ++k) pixel[k] |= static_cast<uint8_t>(bytes >> 8 * k);
                }
            }
        }
    }
}

__attribute__((target("avx2"))) void texture_avx2(const float* positions, const int32_t* triangles, int64_t count,
                                                  const float* texture, float* map_x, float* map_y, float* depth,
                                                  int64_t height, int64_t width) {
    Triangle triangle;
    for (int64_t t = 0; t < count; ++t) {
        const int32_t* corner = triangles + 3 * t;
        if (!prepare(positions, corner, width, height, triangle)) continue;
        const Plane z(positions[3 * corner[0] + 2], positions[3 * corner[1] + 2], positions[3 * corner[2] + 2]);
        const Plane u(texture[2 * corner[0]], texture[2 * corner[1]], texture[2 * corner[2]]);
        const Plane v(texture[2 * corner[0] + 1], texture[2 * corner[1] + 1], texture[2 * corner[2] + 1]);
        for (int y = triangle.top; y <= triangle.bottom; ++y) {
            const double row_second = (y - triangle.ay) * triangle.second_y;
            const double row_third = (y - triangle.ay) * triangle.third_y;
            for (int x = triangle.left; x <= triangle.right; x += 4) {
                const Four pixels = four_pixels(triangle, x, row_second, row_third);
                if (_mm_testz_si128(pixels.inside, pixels.inside)) continue;
                const int64_t first = static_cast<int64_t>(y) * width + x;
                const __m128 nearness = at_four(z, pixels);
                const bool whole = x + 4 <= width;
                const __m128 there = whole ? _mm_loadu_ps(depth + first) : _mm_maskload_ps(depth + first, pixels.inside);
                const __m128 drawn = _mm_and_ps(_mm_castsi128_ps(pixels.inside), _mm_cmplt_ps(nearness, there));
                if (_mm_movemask_ps(drawn) == 0) continue;
                if (whole) {
                    // Several times quicker than masked stores on some processors.
                    _mm_storeu_ps(depth + first, _mm_blendv_ps(there, nearness, drawn));
                    store_four(map_x + first, drawn, at_four(u, pixels));
                    store_four(map_y + first, drawn, at_four(v, pixels));
                } else {
                    _mm_maskstore_ps(depth + first, _mm_castps_si128(drawn), nearness);
                    _mm_maskstore_ps(map_x + first, _mm_castps_si128(drawn), at_four(u, pixels));
                    _mm_maskstore_ps(map_y + first, _mm_castps_si128(drawn), at_four(v, pixels));
                }
            }
        }
    }
}
#endif

}  // namespace

MIEN_EXPORT void raster_coverage(const float* positions, const int32_t* triangles, int64_t count,
                                 uint8_t* coverage, int64_t height, int64_t width) {
#ifdef MIEN_AVX2
    if (may_use_avx2()) return coverage_avx2(positions, triangles, count, coverage, height, width);
#endif
    Triangle triangle;
    for (int64_t t = 0; t < count; ++t) {
        if (!prepare(positions, triangles + 3 * t, width, height, triangle)) continue;
        scan(triangle, width, [&](int64_t pixel, double, double) { coverage[pixel] = 255; });
    }
}

MIEN_EXPORT void raster_attributes(const float* positions, const int32_t* triangles, int64_t count,
                                   const float* attributes, int64_t channels, float* picture, float* depth,
                                   int64_t height, int64_t width) {
    Triangle triangle;
    for (int64_t t = 0; t < count; ++t) {
        const int32_t* corner = triangles + 3 * t;
        if (!prepare(positions, corner, width, height, triangle)) continue;
        const Plane z(positions[3 * corner[0] + 2], positions[3 * corner[1] + 2], positions[3 * corner[2] + 2]);
        const float* a = attributes + channels * corner[0];
        const float* b = attributes + channels * corner[1];
        const float* c = attributes + channels * corner[2];
        scan(triangle, width, [&](int64_t pixel, double second, double third) {
            const float nearness = z.at(second, third);
            if (!(nearness < depth[pixel])) return;
            depth[pixel] = nearness;
            for (int64_t k = 0; k < channels; ++k)
                picture[pixel * channels + k] = Plane(a[k], b[k], c[k]).at(second, third);
        });
    }
}

MIEN_EXPORT void raster_texture(const float* positions, const int32_t* triangles, int64_t count,
                                const float* texture, float* map_x, float* map_y, float* depth,
                                int64_t height, int64_t width) {
#ifdef MIEN_AVX2
    if (may_use_avx2())
        return texture_avx2(positions, triangles, count, texture, map_x, map_y, depth, height, width);
#endif
    Triangle triangle;
    for (int64_t t = 0; t < count; ++t) {
        const int32_t* corner = triangles + 3 * t;
        if (!prepare(positions, corner, width, height, triangle)) continue;
        const Plane z(positions[3 * corner[0] + 2], positions[3 * corner[1] + 2], positions[3 * corner[2] + 2]);
        const Plane u(texture[2 * corner[0]], texture[2 * corner[1]], texture[2 * corner[2]]);
        const Plane v(texture[2 * corner[0] + 1], texture[2 * corner[1] + 1], texture[2 * corner[2] + 1]);
        scan(triangle, width, [&](int64_t pixel, double second, double third) {
            const float nearness = z.at(second, third);
            if (!(nearness < depth[pixel])) return;
            depth[pixel] = nearness;
            map_x[pixel] = u.at(second, third);
            map_y[pixel] = v.at(second, third);
        });
    }
}
