// Draw an eye on a CUDA device: see eye.py, whose references say what each function means.
// One thread for each pixel of the opening, of the ball's layer, or of the lid's.

__device__ inline float clamp_to(float value, float low, float high) { return fminf(high, fmaxf(low, value)); }

__device__ inline float smooth(float x) {
    x = clamp_to(x, 0.0f, 1.0f);
    return x * x * (3.0f - 2.0f * x);
}

// A place between a picture's pixels.
struct Place {
    long long first;
    float s, t;
};

__device__ inline Place place_at(float x, float y, int height, int width) {
    x = clamp_to(x, 0.0f, static_cast<float>(width - 1));
    y = clamp_to(y, 0.0f, static_cast<float>(height - 1));
    const int column = min(static_cast<int>(x), width - 2), row = min(static_cast<int>(y), height - 2);
    return {static_cast<long long>(row) * width + column, x - static_cast<float>(column),
            y - static_cast<float>(row)};
}

__device__ inline float read(const unsigned char* picture, const Place& place, int width, int channels, int channel) {
    const unsigned char* upper = picture + channels * place.first + channel;
    const unsigned char* lower = upper + channels * width;
    const float a = upper[0], b = lower[0];
    const float high = a + place.s * (static_cast<float>(upper[channels]) - a);
    const float low = b + place.s * (static_cast<float>(lower[channels]) - b);
    return high + place.t * (low - high);
}

__device__ inline unsigned char rounded(float value) {
    return static_cast<unsigned char>(clamp_to(value, 0.0f, 255.0f));
}

extern "C" __global__ void cut_opening(const unsigned char* covered, const unsigned char* within, int fine,
                                       const float* depth, int height, int width, int left, int top, int rows,
                                       int columns, float* opened) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    int count = 0;
    for (int y = row * fine; y < (row + 1) * fine; ++y)
        for (int x = column * fine; x < (column + 1) * fine; ++x) {
            const long long at = static_cast<long long>(y) * columns * fine + x;
            count += within[at] != 0 && covered[at] == 0;
        }
    bool bare = false;
    const int last_y = min(top + row + 1, height - 1), last_x = min(left + column + 1, width - 1);
    for (int y = max(top + row - 1, 0); y <= last_y; ++y)
        for (int x = max(left + column - 1, 0); x <= last_x; ++x)
            bare = bare || !isfinite(depth[static_cast<long long>(y) * width + x]);
    const float part = static_cast<float>(1.0 / (fine * fine));
    opened[static_cast<long long>(row) * columns + column] = bare ? static_cast<float>(count) * part : 0.0f;
}

extern "C" __global__ void draw_ball(unsigned char* picture, int width, int left, int top, const float* opened,
                                     const float* light, int rows, int columns, const unsigned char* pictures,
                                     int tall, int wide, const float* lid, int lid_rows, int lid_columns,
                                     int lid_left, int lid_top, float u_along, float u_down, float u_first,
                                     float v_along, float v_down, float v_first, float iris_x, float iris_y,
                                     float iris_radius, float turned_x, float turned_y, float follows, float leaving,
                                     float shade_red, float shade_green, float shade_blue, float shadow,
                                     float shadow_reach) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const long long at = static_cast<long long>(row) * columns + column;
    const float share = opened[at];
    if (share == 0.0f) return;
    const float u = u_along * static_cast<float>(column) + u_down * static_cast<float>(row) + u_first;
    const float v = v_along * static_cast<float>(column) + v_down * static_cast<float>(row) + v_first;
    const long long size = 3ll * tall * wide;
    const Place still = place_at(u, v, tall, wide);
    float colour[3];
    if (leaving == 0.0f && turned_x == 0.0f && turned_y == 0.0f) {
        for (int channel = 0; channel < 3; ++channel) colour[channel] = read(pictures + 5 * size, still, wide, 3, channel);
    } else {
        const float x = u - (iris_x + turned_x), y = v - (iris_y + turned_y);
        const float away = sqrtf(x * x + y * y) / iris_radius;
        const float drag = smooth((1.9f - away) * static_cast<float>(1 / 0.75));
        const float disc = smooth((1.10f - away) * 5.0f);
        const float open_to_light = smooth((light[at] - 0.3f) * static_cast<float>(1 / 0.6));
        const float shade[3] = {shade_red, shade_green, shade_blue};
        const float dull = clamp_to((away - 0.75f) * static_cast<float>(1 / 0.3), 0.0f, 1.0f);
        const Place dragged = place_at(u - turned_x * drag, v - turned_y * drag, tall, wide);
        const Place moved = place_at(u - turned_x, v - turned_y, tall, wide);
        const Place light_at = place_at(u - follows * turned_x, v - follows * turned_y, tall, wide);
        const float glinting = (1.0f - leaving * dull) * (1.0f / 255.0f);
        for (int channel = 0; channel < 3; ++channel) {
            const float ball = read(pictures, dragged, wide, 3, channel);
            float free = read(pictures + size, still, wide, 3, channel);
            free = free + disc * (read(pictures + 2 * size, moved, wide, 3, channel) - free);
            free = free * (shade[channel] + (1.0f - shade[channel]) * open_to_light);
            const float dry = ball + leaving * (free - ball);
            float glint = read(pictures + 3 * size, light_at, wide, 3, channel)
                        + (1.0f - leaving) * read(pictures + 4 * size, light_at, wide, 3, channel);
            glint = glint * glinting;
            colour[channel] = dry + glint * (255.0f - dry);
        }
    }
    const int y = row - lid_top, x = column - lid_left;
    float height = -1e4f;  // eye.OUTSIDE
    if (y >= 0 && y < lid_rows && x >= 0 && x < lid_columns)
        height = lid[6 * (static_cast<long long>(y) * lid_columns + x) + 4];
    float near = fmaxf(0.0f, 1.0f + fminf(height, 0.0f) / shadow_reach * 0.125f);
    near = near * near;
    near = near * near;
    const float lit = 1.0f - shadow * (near * near);
    unsigned char* target = picture + 3 * (static_cast<long long>(top + row) * width + left + column);
    for (int channel = 0; channel < 3; ++channel) {
        const float below = target[channel];
        target[channel] = rounded(below + share * (colour[channel] * lit - below) + 0.5f);
    }
}

extern "C" __global__ void draw_lid(unsigned char* picture, int width, int left, int top, const float* lid, int rows,
                                    int columns, const unsigned char* closed, const unsigned char* carried,
                                    const unsigned char* rim, int tall, int wide, const unsigned char* lashes,
                                    int lash_rows, int lash_columns, float painted_share, float shown, float overhang,
                                    float line_share, float hair_share, float lash_x, float lash_along, float lash_y,
                                    float lash_up, float red, float green, float blue) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const float* held = lid + 6 * (static_cast<long long>(row) * columns + column);
    const float height = held[4];
    if (!(height > -5e3f)) return;  // half of eye.OUTSIDE
    const float level = 1.0f / 255.0f;
    const Place painted = place_at(held[0], held[1], tall, wide), own = place_at(held[2], held[3], tall, wide);
    const Place lash = place_at(lash_x + lash_along * held[5], lash_y - lash_up * height, lash_rows, lash_columns);
    const float line = read(lashes, lash, lash_columns, 1, 0) * level;
    const float hair = read(lashes + static_cast<long long>(lash_rows) * lash_columns, lash, lash_columns, 1, 0) * level;
    const float dark = fmaxf(line_share * line, hair_share * hair);
    const float edge = clamp_to(height + overhang, 0.0f, 1.0f);
    const float cover = shown * edge * (read(closed, painted, wide, 4, 3) * level);
    const float share = (1.0f - painted_share) * (read(carried, own, wide, 4, 3) * level)
                      * (1.0f - read(rim, painted, wide, 1, 0) * level);
    const float tint[3] = {red, green, blue};
    unsigned char* target = picture + 3 * (static_cast<long long>(top + row) * width + left + column);
    for (int channel = 0; channel < 3; ++channel) {
        const float skin = read(closed, painted, wide, 4, channel);
        const float colour = skin + share * (read(carried, own, wide, 4, channel) - skin);
        const float below = target[channel];
        const float drawn = (below + cover * (colour - below)) * (1.0f - dark * tint[channel]);
        target[channel] = rounded(drawn + 0.5f);
    }
}
