// Mix a part of the photo with another picture of it, on a CUDA device: see fade.py, whose reference says what it
// means. One thread for each pixel of that part.

extern "C" __global__ void fade(unsigned char* source, int width, const unsigned char* rest, const unsigned char* goal,
                                int rows, int columns, int left, int top, float share) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const long long from = 3 * (static_cast<long long>(row) * columns + column);
    const long long to = 4 * (static_cast<long long>(top + row) * width + left + column);
    for (int channel = 0; channel < 3; ++channel) {
        const float first = rest[from + channel];
        const float mixed = first + share * (static_cast<float>(goal[from + channel]) - first) + 0.5f;
        source[to + channel] = static_cast<unsigned char>(mixed);
    }
}
