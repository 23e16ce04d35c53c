// Draw triangles on a CUDA device: see raster.py, whose references say what each function means.
//
// Attributes and texture take three launches: raster_begin writes a key a pixel, raster_nearest lets every
// triangle lower the keys under it, and the last interpolates what won. A key is the depth, made a whole
// number that sorts as it does, above the triangle's number + 1; 0 stands for what was there before. So the
// nearest wins and, among equals, the first, in whatever order the threads come.
//
// A triangle that names a vertex that is not there is not drawn.

namespace {

constexpr double kEdge = 1e-5;    // raster.EDGE
constexpr double kSliver = 1e-8;  // raster.SLIVER

constexpr int kLanes = 8;  // raster.LANES: threads that share the pixels of one triangle

using Key = unsigned long long;

struct Triangle {
    double ax, ay, second_x, second_y, third_x, third_y;
    int left, right, top, bottom;

    __device__ double second(int x, int y) const { return (x - ax) * second_x + (y - ay) * second_y; }
    __device__ double third(int x, int y) const { return (x - ax) * third_x + (y - ay) * third_y; }
};

__device__ bool inside(double second, double third) {
    return second >= -kEdge && third >= -kEdge && second + third <= 1.0 + kEdge;
}

__device__ double clamp(double value, double low, double high) { return fmin(fmax(value, low), high); }

// False for a sliver, or for a triangle that misses the picture.
__device__ bool prepare(const float* positions, int vertices, const int* corners, int height, int width,
                        Triangle& triangle) {
    for (int k = 0; k < 3; ++k)
        if (corners[k] < 0 || corners[k] >= vertices) return false;
    const float* a = positions + 3ll * corners[0];
    const float* b = positions + 3ll * corners[1];
    const float* c = positions + 3ll * corners[2];
    const double ax = a[0], ay = a[1], bx = b[0], by = b[1], cx = c[0], cy = c[1];
    const double area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (!(fabs(area) >= kSliver)) return false;
    const double inverse = 1.0 / area;
    triangle.ax = ax;
    triangle.ay = ay;
    triangle.second_x = (cy - ay) * inverse;
    triangle.second_y = (ax - cx) * inverse;
    triangle.third_x = (ay - by) * inverse;
    triangle.third_y = (bx - ax) * inverse;
    // Clamped before the conversion: a vertex may lie anywhere.
    triangle.left = static_cast<int>(ceil(clamp(fmin(ax, fmin(bx, cx)), 0.0, width)));
    triangle.right = static_cast<int>(floor(clamp(fmax(ax, fmax(bx, cx)), -1.0, width - 1)));
    triangle.top = static_cast<int>(ceil(clamp(fmin(ay, fmin(by, cy)), 0.0, height)));
    triangle.bottom = static_cast<int>(floor(clamp(fmax(ay, fmax(by, cy)), -1.0, height - 1)));
    return triangle.left <= triangle.right && triangle.top <= triangle.bottom;
}

// Calls draw(pixel, second, third) for this lane's share of the pixel centres inside the triangle.
template <typename Draw>
__device__ void scan(const Triangle& triangle, int width, int lane, Draw draw) {
    for (int y = triangle.top; y <= triangle.bottom; ++y) {
        for (int x = triangle.left + lane; x <= triangle.right; x += kLanes) {
            const double second = triangle.second(x, y), third = triangle.third(x, y);
            if (inside(second, third)) draw(static_cast<long long>(y) * width + x, second, third);
        }
    }
}

// A value that varies linearly over a triangle.
__device__ float interpolate(float a, float b, float c, double second, double third) {
    return static_cast<float>(a + second * (static_cast<double>(b) - a) + third * (static_cast<double>(c) - a));
}

__device__ Key key_of(float depth, unsigned int number) {
    const unsigned int bits = __float_as_uint(depth + 0.0f);  // both zeros are one
    const unsigned int sorted = bits >> 31 ? ~bits : bits | 0x80000000u;
    return static_cast<Key>(sorted) << 32 | number;
}

// What won a pixel: which triangle, and where in it.
struct Winner {
    const int* corner;
    double second, third;

    // False where what was there before stays.
    __device__ bool find(Key key, const float* positions, int vertices, const int* triangles, int height, int width,
                         int x, int y) {
        const unsigned int number = static_cast<unsigned int>(key);
        if (number == 0) return false;
        Triangle triangle;
        corner = triangles + 3ll * (number - 1);
        prepare(positions, vertices, corner, height, width, triangle);
        second = triangle.second(x, y);
        third = triangle.third(x, y);
        return true;
    }

    __device__ float at(const float* values, int stride) const {
        return interpolate(values[static_cast<long long>(stride) * corner[0]],
                           values[static_cast<long long>(stride) * corner[1]],
                           values[static_cast<long long>(stride) * corner[2]], second, third);
    }
};

}  // namespace

extern "C" __global__ void raster_coverage(const float* positions, int vertices, const int* triangles, int count,
                                           unsigned char* coverage, int height, int width) {
    const int t = blockIdx.y * blockDim.y + threadIdx.y;
    Triangle triangle;
    if (t >= count || !prepare(positions, vertices, triangles + 3ll * t, height, width, triangle)) return;
    scan(triangle, width, threadIdx.x, [&](long long pixel, double, double) { coverage[pixel] = 255; });
}

extern "C" __global__ void raster_begin(const float* depth, Key* keys, int height, int width) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (y >= height || x >= width) return;
    const long long pixel = static_cast<long long>(y) * width + x;
    // Nothing is nearer than what is not a number.
    keys[pixel] = depth[pixel] == depth[pixel] ? key_of(depth[pixel], 0) : 0;
}

extern "C" __global__ void raster_nearest(const float* positions, int vertices, const int* triangles, int count,
                                          Key* keys, int height, int width) {
    const int t = blockIdx.y * blockDim.y + threadIdx.y;
    Triangle triangle;
    const int* corner = triangles + 3ll * t;
    if (t >= count || !prepare(positions, vertices, corner, height, width, triangle)) return;
    const float a = positions[3ll * corner[0] + 2];
    const float b = positions[3ll * corner[1] + 2];
    const float c = positions[3ll * corner[2] + 2];
    scan(triangle, width, threadIdx.x, [&](long long pixel, double second, double third) {
        const float depth = interpolate(a, b, c, second, third);
        if (depth == depth) atomicMin(keys + pixel, key_of(depth, t + 1u));
    });
}

extern "C" __global__ void raster_attributes(const float* positions, int vertices, const int* triangles,
                                             const float* attributes, int channels, const Key* keys, float* picture,
                                             float* depth, int height, int width) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (y >= height || x >= width) return;
    const long long pixel = static_cast<long long>(y) * width + x;
    Winner winner;
    if (!winner.find(keys[pixel], positions, vertices, triangles, height, width, x, y)) return;
    depth[pixel] = winner.at(positions + 2, 3);
    for (int channel = 0; channel < channels; ++channel)
        picture[pixel * channels + channel] = winner.at(attributes + channel, channels);
}

extern "C" __global__ void raster_texture(const float* positions, int vertices, const int* triangles,
                                          const float* texture, const Key* keys, float* map_x, float* map_y,
                                          float* depth, int height, int width) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (y >= height || x >= width) return;
    const long long pixel = static_cast<long long>(y) * width + x;
    Winner winner;
    if (!winner.find(keys[pixel], positions, vertices, triangles, height, width, x, y)) return;
    depth[pixel] = winner.at(positions + 2, 3);
    map_x[pixel] = winner.at(texture, 2);
    map_y[pixel] = winner.at(texture + 1, 2);
}
