// Draw an eye on the CPU: see eye.py, whose references say what each function means.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "export.h"

namespace {

constexpr float kNever = -5e3f;  // half of eye.OUTSIDE
constexpr float kLevel = 1.0f / 255.0f;

struct BallLook {  // eye.BallLook
    float u_along, u_down, u, v_along, v_down, v, iris_x, iris_y, iris_radius, turned_x, turned_y, follows, leaving,
        shade[3], shadow, shadow_reach;
};

struct LidLook {  // eye.LidLook
    float painted, shown, overhang, line, hair, lash_x, lash_along, lash_y, lash_up, red, green, blue;
};

// In this order of operands what is not a number becomes `low`.
float clamp(float value, float low, float high) { return std::min(high, std::max(low, value)); }

float smooth(float x) {
    x = clamp(x, 0.0f, 1.0f);
    return x * x * (3.0f - 2.0f * x);
}

// A place between a picture's pixels.
struct Place {
    int64_t first;
    float s, t;

    Place(float x, float y, int64_t height, int64_t width) {
        x = clamp(x, 0.0f, float(width - 1));
        y = clamp(y, 0.0f, float(height - 1));
        const int64_t column = std::min(int64_t(x), width - 2), row = std::min(int64_t(y), height - 2);
        first = row * width + column;
        s = x - float(column);
        t = y - float(row);
    }

    template <int channels>
    float read(const uint8_t* picture, int64_t width, int channel) const {
        const uint8_t* upper = picture + channels * first + channel;
        const uint8_t* lower = upper + channels * width;
        const float a = upper[0], b = lower[0];
        const float high = a + s * (float(upper[channels]) - a);
        const float low = b + s * (float(lower[channels]) - b);
        return high + t * (low - high);
    }
};

uint8_t rounded(float value) { return static_cast<uint8_t>(clamp(value, 0.0f, 255.0f)); }

struct Ball {
    const uint8_t* pictures;
    int64_t height, width;
    const BallLook& look;

    const uint8_t* picture(int number) const { return pictures + 3 * height * width * number; }

    // The ball's colour at a place of its pictures.
    void turned(float u, float v, float light, float* colour) const {
        const float x = u - (look.iris_x + look.turned_x), y = v - (look.iris_y + look.turned_y);
        const float away = std::sqrt(x * x + y * y) / look.iris_radius;
        const float drag = smooth((1.9f - away) * float(1 / 0.75));
        const float disc = smooth((1.10f - away) * 5.0f);
        const float open_to_light = smooth((light - 0.3f) * float(1 / 0.6));
        const float dull = clamp((away - 0.75f) * float(1 / 0.3), 0.0f, 1.0f);
        const Place dragged(u - look.turned_x * drag, v - look.turned_y * drag, height, width);
        const Place still(u, v, height, width);
        const Place moved(u - look.turned_x, v - look.turned_y, height, width);
        const Place light_at(u - look.follows * look.turned_x, v - look.follows * look.turned_y, height, width);
        const float glinting = (1.0f - look.leaving * dull) * kLevel;
        for (int channel = 0; channel < 3; ++channel) {
            const float ball = dragged.read<3>(picture(0), width, channel);
            float free = still.read<3>(picture(1), width, channel);
            free = free + disc * (moved.read<3>(picture(2), width, channel) - free);
            free = free * (look.shade[channel] + (1.0f - look.shade[channel]) * open_to_light);
            const float dry = ball + look.leaving * (free - ball);
            float glint = light_at.read<3>(picture(3), width, channel)
                        + (1.0f - look.leaving) * light_at.read<3>(picture(4), width, channel);
            glint = glint * glinting;
            colour[channel] = dry + glint * (255.0f - dry);
        }
    }
};

}  // namespace

MIEN_EXPORT void cut_opening(const uint8_t* covered, const uint8_t* within, int64_t fine, const float* depth,
                             int64_t height, int64_t width, int64_t left, int64_t top, int64_t rows, int64_t columns,
                             float* opened) {
    const float part = float(1.0 / double(fine * fine));
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
            int count = 0;
            for (int64_t y = row * fine; y < (row + 1) * fine; ++y)
                for (int64_t x = column * fine; x < (column + 1) * fine; ++x) {
                    const int64_t at = y * columns * fine + x;
                    count += within[at] != 0 && covered[at] == 0;
                }
            bool bare = false;
            if (count) {
                const int64_t last_y = std::min(top + row + 1, height - 1), last_x = std::min(left + column + 1, width - 1);
                for (int64_t y = std::max<int64_t>(top + row - 1, 0); y <= last_y; ++y)
                    for (int64_t x = std::max<int64_t>(left + column - 1, 0); x <= last_x; ++x)
                        bare = bare || !std::isfinite(depth[y * width + x]);
            }
            opened[row * columns + column] = bare ? float(count) * part : 0.0f;
        }
    }
}

MIEN_EXPORT void draw_ball(uint8_t* picture, int64_t width, int64_t left, int64_t top, const float* opened,
                           const float* light, int64_t rows, int64_t columns, const uint8_t* pictures, int64_t tall,
                           int64_t wide, const float* lid, int64_t lid_rows, int64_t lid_columns, int64_t lid_left,
                           int64_t lid_top, const float* numbers) {
    const BallLook& look = *reinterpret_cast<const BallLook*>(numbers);
    const Ball ball{pictures, tall, wide, look};
    const bool resting = look.leaving == 0.0f && look.turned_x == 0.0f && look.turned_y == 0.0f;
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
            const int64_t at = row * columns + column;
            const float share = opened[at];
            if (share == 0.0f) continue;
            const float u = look.u_along * float(column) + look.u_down * float(row) + look.u;
            const float v = look.v_along * float(column) + look.v_down * float(row) + look.v;
            float colour[3];
            if (resting) {
                const Place place(u, v, tall, wide);
                for (int channel = 0; channel < 3; ++channel)
                    colour[channel] = place.read<3>(ball.picture(5), wide, channel);
            } else {
                ball.turned(u, v, light[at], colour);
            }
            const int64_t y = row - lid_top, x = column - lid_left;
            float height = -1e4f;
            if (y >= 0 && y < lid_rows && x >= 0 && x < lid_columns) height = lid[6 * (y * lid_columns + x) + 4];
            float near = std::max(0.0f, 1.0f + std::min(height, 0.0f) / look.shadow_reach * 0.125f);
            near = near * near;
            near = near * near;
            const float lit = 1.0f - look.shadow * (near * near);
            uint8_t* target = picture + 3 * ((top + row) * width + left + column);
            for (int channel = 0; channel < 3; ++channel) {
                const float below = target[channel];
                target[channel] = rounded(below + share * (colour[channel] * lit - below) + 0.5f);
            }
        }
    }
}

MIEN_EXPORT void draw_lid(uint8_t* picture, int64_t width, int64_t left, int64_t top, const float* lid, int64_t rows,
                          int64_t columns, const uint8_t* closed, const uint8_t* carried, const uint8_t* rim,
                          int64_t tall, int64_t wide, const uint8_t* lashes, int64_t lash_rows, int64_t lash_columns,
                          const float* numbers) {
    const LidLook& look = *reinterpret_cast<const LidLook*>(numbers);
    const float tint[3] = {look.red, look.green, look.blue};
    for (int64_t row = 0; row < rows; ++row) {
        for (int64_t column = 0; column < columns; ++column) {
            const float* held = lid + 6 * (row * columns + column);
            const float height = held[4];
            if (!(height > kNever)) continue;
            const Place painted(held[0], held[1], tall, wide), own(held[2], held[3], tall, wide);
            const Place lash(look.lash_x + look.lash_along * held[5], look.lash_y - look.lash_up * height, lash_rows,
                             lash_columns);
            const float line = lash.read<1>(lashes, lash_columns, 0) * kLevel;
            const float hair = lash.read<1>(lashes + lash_rows * lash_columns, lash_columns, 0) * kLevel;
            const float dark = std::max(look.line * line, look.hair * hair);
            const float edge = clamp(height + look.overhang, 0.0f, 1.0f);
            const float cover = look.shown * edge * (painted.read<4>(closed, wide, 3) * kLevel);
            const float share = (1.0f - look.painted) * (own.read<4>(carried, wide, 3) * kLevel)
                              * (1.0f - painted.read<1>(rim, wide, 0) * kLevel);
            uint8_t* target = picture + 3 * ((top + row) * width + left + column);
            for (int channel = 0; channel < 3; ++channel) {
                const float skin = painted.read<4>(closed, wide, channel);
                const float colour = skin + share * (own.read<4>(carried, wide, channel) - skin);
                const float below = target[channel];
                const float drawn = (below + cover * (colour - below)) * (1.0f - dark * tint[channel]);
                target[channel] = rounded(drawn + 0.5f);
            }
        }
    }
}
