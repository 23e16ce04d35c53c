// Lay one picture over another through a mask: see compose.py, whose reference says what it means.
// One thread for each pixel of the layer, x and y over the layer, z over the batch.

extern "C" __global__ void compose(unsigned char* frame, const float* layer, const float* mask, int height,
                                   int width, int rows, int columns, int left, int top) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= rows || column >= columns) return;

    const long long image = blockIdx.z;
    const long long source = (image * rows + row) * columns + column;
    const long long target = (image * height + top + row) * width + left + column;
    const float share = mask[source];
    for (int channel = 0; channel < 3; ++channel) {
        const float below = frame[3 * target + channel];
        const float mixed = below + share * (layer[3 * source + channel] - below) + 0.5f;
        frame[3 * target + channel] = static_cast<unsigned char>(fminf(fmaxf(mixed, 0.0f), 255.0f));
    }
}
