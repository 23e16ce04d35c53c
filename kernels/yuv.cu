// Turn RGB pictures into YUV 4:2:0: see yuv.py, whose reference says what it means.
// One thread for each 2 x 2 pixels, x and y over the picture, z over the batch.

namespace {

constexpr int kShift = 20;  // yuv.SHIFT

// yuv.LUMA, yuv.BLUE_DIFFERENCE, yuv.RED_DIFFERENCE
__device__ unsigned char luma(const unsigned char* rgb) {
    const int total = 269484 * rgb[0] + 528482 * rgb[1] + 102760 * rgb[2];
    return static_cast<unsigned char>((total + (1 << (kShift - 1)) + (16 << kShift)) >> kShift);
}

__device__ unsigned char blue_difference(const unsigned char* rgb) {
    const int total = -155188 * rgb[0] - 305135 * rgb[1] + 460324 * rgb[2];
    return static_cast<unsigned char>((total + (1 << (kShift - 1)) + (128 << kShift)) >> kShift);
}

__device__ unsigned char red_difference(const unsigned char* rgb) {
    const int total = 460324 * rgb[0] - 385875 * rgb[1] - 74448 * rgb[2];
    return static_cast<unsigned char>((total + (1 << (kShift - 1)) + (128 << kShift)) >> kShift);
}

// kStep is the distance, in bytes, from one U to the next: 1 in I420, 2 in NV12.
template <int kStep>
__device__ void convert(const unsigned char* picture, unsigned char* frame, int height, int width) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= height / 2 || column >= width / 2) return;

    const long long pixels = static_cast<long long>(height) * width;
    const long long corner = 2ll * row * width + 2 * column;
    picture += 3 * blockIdx.z * pixels;
    frame += blockIdx.z * (pixels + pixels / 2);
    for (int pixel = 0; pixel < 4; ++pixel) {
        const long long place = corner + pixel / 2 * width + pixel % 2;
        frame[place] = luma(picture + 3 * place);
    }
    unsigned char* u = frame + pixels;
    unsigned char* v = kStep == 1 ? u + pixels / 4 : u + 1;
    const long long block = kStep * (static_cast<long long>(row) * (width / 2) + column);
    u[block] = blue_difference(picture + 3 * corner);
    v[block] = red_difference(picture + 3 * corner);
}

}  // namespace

extern "C" __global__ void rgb_to_i420(const unsigned char* picture, unsigned char* frame, int height, int width) {
    convert<1>(picture, frame, height, width);
}

extern "C" __global__ void rgb_to_nv12(const unsigned char* picture, unsigned char* frame, int height, int width) {
    convert<2>(picture, frame, height, width);
}
