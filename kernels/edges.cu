// Tidy the edges of what raster_texture drew, on a CUDA device: see edges.py, whose references say what each
// function means. One thread for each pixel of the box left, top, width, height, inside the outermost pixels.

extern "C" __global__ void spread_map(float* map_x, float* map_y, const float* depth, int width, int left, int top,
                                      int columns, int rows) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= columns || y >= rows) return;

    // Pixels drawn are read, the others are written: no thread waits for another.
    const long long pixel = static_cast<long long>(top + y) * width + left + x;
    if (isfinite(depth[pixel])) return;
    int count = 0;
    double total_x = 0.0, total_y = 0.0;
    for (int dy = -1; dy <= 1; ++dy) {
        for (int dx = -1; dx <= 1; ++dx) {
            const long long neighbour = pixel + static_cast<long long>(dy) * width + dx;
            if (!isfinite(depth[neighbour])) continue;
            ++count;
            total_x += static_cast<double>(map_x[neighbour]) - dx;
            total_y += static_cast<double>(map_y[neighbour]) - dy;
        }
    }
    if (count == 0) return;
    map_x[pixel] = static_cast<float>(total_x / count);
    map_y[pixel] = static_cast<float>(total_y / count);
}

extern "C" __global__ void soften_jumps(unsigned char* picture, const unsigned char* source, const float* map_x,
                                        const float* map_y, int width, int left, int top, int columns, int rows,
                                        float jump) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= columns || y >= rows) return;

    const long long pixel = static_cast<long long>(top + y) * width + left + x;
    const long long steps[4] = {1, -1, width, -width};
    float largest = 0.0f;
    for (const long long step : steps)
        largest = fmaxf(largest, fabsf(map_x[pixel + step] - map_x[pixel]) + fabsf(map_y[pixel + step] - map_y[pixel]));
    if (largest <= jump) return;
    const long long row = 3ll * width;
    for (int channel = 0; channel < 3; ++channel) {
        const unsigned char* centre = source + 3 * pixel + channel;
        const int total = 4 * centre[0] + 2 * (centre[-row] + centre[row] + centre[-3] + centre[3])
                        + centre[-row - 3] + centre[-row + 3] + centre[row - 3] + centre[row + 3] + 8;
        picture[3 * pixel + channel] = static_cast<unsigned char>(total / 16);
    }
}
