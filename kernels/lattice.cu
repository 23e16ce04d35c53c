// Move a picture by a coarse grid, on a CUDA device: see lattice.py, whose references say what each function
// means. One thread for each point of the lattice, or for each pixel of the box.

namespace {

constexpr int kSteps = 64;          // lattice.STEPS
constexpr int kRounds = 5;          // lattice.ROUNDS
constexpr float kFlattest = 0.25f;  // lattice.FLATTEST

__device__ float clamp(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

struct Grid {
    const float* moved;  // [rows][columns][2]
    int rows, columns;
    const float* layout;

    // The displacement at a place, bilinear, and how it changes a pixel along and down.
    __device__ void at(float x, float y, float* d, float* along, float* down) const {
        const float u = clamp((x - layout[0]) / layout[2], 0.0f, static_cast<float>(columns - 1));
        const float v = clamp((y - layout[1]) / layout[3], 0.0f, static_cast<float>(rows - 1));
        const int column = min(static_cast<int>(u), columns - 2), row = min(static_cast<int>(v), rows - 2);
        const float s = u - static_cast<float>(column), t = v - static_cast<float>(row);
        const float* a = moved + 2 * (row * columns + column);
        const float* b = a + 2 * columns;
        for (int axis = 0; axis < 2; ++axis) {
            const float upper = a[2 + axis] - a[axis], lower = b[2 + axis] - b[axis];
            const float first = a[axis] + s * upper, second = b[axis] + s * lower;
            d[axis] = first + t * (second - first);
            along[axis] = (upper + t * (lower - upper)) / layout[2];
            down[axis] = (second - first) / layout[3];
        }
    }
};

// The cell of a lattice in which a pixel lies.
struct Cell {
    const float* upper;  // its left upper point; the right one follows
    const float* lower;
    float s, t;

    __device__ Cell(const float* lattice, int columns, int step, int x, int y)
        : upper(lattice + 2 * (columns * (y / step) + x / step)),
          lower(upper + 2 * columns),
          s(static_cast<float>(x % step) * (1.0f / static_cast<float>(step))),
          t(static_cast<float>(y % step) / static_cast<float>(step)) {}

    __device__ float displacement(int axis) const {
        const float a = upper[axis] + t * (lower[axis] - upper[axis]);
        const float b = upper[2 + axis] + t * (lower[2 + axis] - upper[2 + axis]);
        return a + s * (b - a);
    }

    __device__ bool still() const {
        for (int k = 0; k < 4; ++k)
            if (upper[k] != 0.0f || lower[k] != 0.0f) return false;
        return true;
    }
};

struct Box {
    int left, top, right, bottom;
    __device__ bool has(int x, int y) const { return x >= left && x < right && y >= top && y < bottom; }
};

// A place along one axis: the first of the four pixels read, and their weights.
struct Taps {
    int first;
    const short* weights;

    __device__ Taps(float place, int margin, int side, const short* table) {
        const float within = clamp(place + static_cast<float>(margin), 1.0f, static_cast<float>(side - 4));
        const int fixed = static_cast<int>(within * kSteps + 0.5f);
        first = fixed / kSteps - 1;
        weights = table + 4 * (fixed % kSteps);
    }
};

}  // namespace

extern "C" __global__ void invert_grid(const float* moved, int rows, int columns, const float* layout, float* lattice,
                                       int lattice_rows, int lattice_columns, int step) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const int j = blockIdx.y * blockDim.y + threadIdx.y;
    if (j >= lattice_rows || i >= lattice_columns) return;

    const Grid grid{moved, rows, columns, layout};
    const float x = static_cast<float>(i * step), y = static_cast<float>(j * step);
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
    lattice[2 * (j * lattice_columns + i)] = u - x;
    lattice[2 * (j * lattice_columns + i) + 1] = v - y;
}

extern "C" __global__ void fill_map(const float* lattice, int lattice_columns, int step, int left, int top, int columns,
                                    int rows, float* map_x, float* map_y, int width) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const int x = left + column, y = top + row;
    const Cell cell(lattice, lattice_columns, step, x, y);
    const long long pixel = static_cast<long long>(y) * width + x;
    map_x[pixel] = static_cast<float>(x) + cell.displacement(0);
    map_y[pixel] = static_cast<float>(y) + cell.displacement(1);
}

extern "C" __global__ void sample_moved(const unsigned char* source, int source_height, int source_width, int margin,
                                        const short* weights, const float* lattice, int lattice_columns, int step,
                                        const float* map_x, const float* map_y, int mapped_left, int mapped_top,
                                        int mapped_right, int mapped_bottom, const unsigned char* ground,
                                        const unsigned char* rest, int left, int top, int columns, int rows,
                                        unsigned char* picture, int width) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const int x = left + column, y = top + row;
    const long long pixel = static_cast<long long>(y) * width + x;
    float place_x, place_y;
    if (Box{mapped_left, mapped_top, mapped_right, mapped_bottom}.has(x, y)) {
        place_x = map_x[pixel];
        place_y = map_y[pixel];
    } else {
        const Cell cell(lattice, lattice_columns, step, x, y);
        if (cell.still()) {
            for (int channel = 0; channel < 3; ++channel) picture[3 * pixel + channel] = rest[3 * pixel + channel];
            return;
        }
        place_x = static_cast<float>(x) + cell.displacement(0);
        place_y = static_cast<float>(y) + cell.displacement(1);
    }

    const Taps across(place_x, margin, source_width, weights), down(place_y, margin, source_height, weights);
    int total[4] = {1 << 15, 1 << 15, 1 << 15, 1 << 15};
    for (int j = 0; j < 4; ++j) {
        const unsigned char* line = source + 4 * (static_cast<long long>(down.first + j) * source_width + across.first);
        for (int channel = 0; channel < 4; ++channel) {
            int value = 1 << 5;
            for (int i = 0; i < 4; ++i) value += across.weights[i] * line[4 * i + channel];
            total[channel] += down.weights[j] * (value >> 6);
        }
    }
    const int through = 255 - min(max(total[3] >> 16, 0), 255);
    for (int channel = 0; channel < 3; ++channel) {
        const int colour = min(max(total[channel] >> 16, 0), 255);
        const int behind = (through * ground[3 * pixel + channel] + 127) / 255;
        picture[3 * pixel + channel] = static_cast<unsigned char>(min(colour + behind, 255));
    }
}
