// Draw a picture through a flow field: see warp.py, whose reference says what it means.
// One thread for each pixel drawn, x and y over the flow field, z over the batch.

namespace {

enum Border { kZero, kReplicate, kMirror };

constexpr float kFar = 1048576.0f;     // warp.FAR
constexpr float kSharpness = -0.75f;   // warp.SHARPNESS

// The pixel that stands for an index, or -1 for none.
__device__ int fold(int index, int count, int border) {
    if (border == kZero) return index >= 0 && index < count ? index : -1;
    if (border == kMirror && count > 1) {
        const int turn = 2 * (count - 1);
        const int wrapped = (index % turn + turn) % turn;
        return wrapped < count ? wrapped : turn - wrapped;
    }
    return index < 0 ? 0 : index < count ? index : count - 1;
}

// What one place reads along one axis.
template <int kTaps>
struct Footprint {
    int pixels[kTaps];
    float weights[kTaps];

    __device__ Footprint(float place, int count, int border) {
        place = fminf(fmaxf(place, -kFar), kFar);
        const float first = floorf(place);
        const float offset = place - first;
        if constexpr (kTaps == 2) {
            weights[0] = 1.0f - offset;
            weights[1] = offset;
        } else {
            constexpr float a = kSharpness;
            const float before = offset + 1.0f, after = 1.0f - offset;
            weights[0] = ((a * before - 5.0f * a) * before + 8.0f * a) * before - 4.0f * a;
            weights[1] = ((a + 2.0f) * offset - (a + 3.0f)) * offset * offset + 1.0f;
            weights[2] = ((a + 2.0f) * after - (a + 3.0f)) * after * after + 1.0f;
            weights[3] = 1.0f - weights[0] - weights[1] - weights[2];
        }
        for (int tap = 0; tap < kTaps; ++tap)
            pixels[tap] = fold(static_cast<int>(first) + tap - (kTaps / 2 - 1), count, border);
    }
};

__device__ void store(unsigned char* target, float value) {
    *target = static_cast<unsigned char>(fminf(fmaxf(rintf(value), 0.0f), 255.0f));
}

__device__ void store(float* target, float value) { *target = value; }

template <int kTaps, typename Value>
__device__ void warp(const Value* picture, int height, int width, int channels, const float* map_x,
                     const float* map_y, Value* warped, int rows, int columns, int border) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const long long image = blockIdx.z;
    const long long pixel = (image * rows + row) * columns + column;
    const Footprint<kTaps> x(map_x[pixel], width, border);
    const Footprint<kTaps> y(map_y[pixel], height, border);
    picture += image * height * width * channels;
    for (int channel = 0; channel < channels; ++channel) {
        float total = 0.0f;
        for (int j = 0; j < kTaps; ++j) {
            const Value* line = picture + static_cast<long long>(y.pixels[j]) * width * channels + channel;
            float across = 0.0f;
            for (int i = 0; i < kTaps; ++i) {
                const bool within = x.pixels[i] >= 0 && y.pixels[j] >= 0;
                const float value = within ? static_cast<float>(line[x.pixels[i] * channels]) : 0.0f;
                across += x.weights[i] * value;
            }
            total += y.weights[j] * across;
        }
        store(warped + pixel * channels + channel, total);
    }
}

}  // namespace

extern "C" __global__ void warp_bilinear_uint8(
    const unsigned char* picture, int height, int width, int channels, const float* map_x, const float* map_y,
    unsigned char* warped, int rows, int columns, int border) {
    warp<2>(picture, height, width, channels, map_x, map_y, warped, rows, columns, border);
}

extern "C" __global__ void warp_bicubic_uint8(
    const unsigned char* picture, int height, int width, int channels, const float* map_x, const float* map_y,
    unsigned char* warped, int rows, int columns, int border) {
    warp<4>(picture, height, width, channels, map_x, map_y, warped, rows, columns, border);
}

extern "C" __global__ void warp_bilinear_float32(
    const float* picture, int height, int width, int channels, const float* map_x, const float* map_y,
    float* warped, int rows, int columns, int border) {
    warp<2>(picture, height, width, channels, map_x, map_y, warped, rows, columns, border);
}

extern "C" __global__ void warp_bicubic_float32(
    const float* picture, int height, int width, int channels, const float* map_x, const float* map_y,
    float* warped, int rows, int columns, int border) {
    warp<4>(picture, height, width, channels, map_x, map_y, warped, rows, columns, border);
}
