// Blur a plane on a CUDA device: see blur.py, whose reference says what it means.
// One thread for each pixel; along rows (axis 0) in one launch, down columns (axis 1) in the next.

extern "C" __global__ void blur_along(const float* source, int height, int width, const float* weights, int count,
                                      int axis, float* target) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;

    float total = 0.0f;
    for (int k = 0; k < count; ++k) {
        const int column = axis == 0 ? x + k - count / 2 : x;
        const int row = axis == 0 ? y : y + k - count / 2;
        if (column < 0 || column >= width || row < 0 || row >= height) continue;
        total += weights[k] * source[static_cast<long long>(row) * width + column];
    }
    target[static_cast<long long>(y) * width + x] = total;
}
