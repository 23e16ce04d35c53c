// Lets a C++ compiler for the CPU take a .cu file of ours: what CUDA gives its kernels, one thread after another.
// Blocks come in a shuffled order, so that a kernel that relies on one is found out. There are no barriers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#define SEEN extern "C" __attribute__((visibility("default")))
#define __global__
#define __device__

struct Index {
    unsigned int x, y, z;
};

static thread_local Index threadIdx, blockIdx, blockDim, gridDim;

using std::isfinite;
using std::max;
using std::min;

static inline unsigned int __float_as_uint(float value) {
    unsigned int bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline unsigned long long atomicMin(unsigned long long* target, unsigned long long value) {
    const unsigned long long before = *target;
    if (value < before) *target = value;
    return before;
}

// A kernel's parameters as text: for each, * or =, for pointer or value, and the letter NumPy has for its type.
template <typename Parameter>
constexpr char letter() {
    using Value = std::remove_cv_t<std::remove_pointer_t<Parameter>>;
    return std::is_same_v<Value, unsigned char>      ? 'B'
         : std::is_same_v<Value, short>              ? 'h'
         : std::is_same_v<Value, int>                ? 'i'
         : std::is_same_v<Value, long long>          ? 'q'
         : std::is_same_v<Value, unsigned long long> ? 'Q'
         : std::is_same_v<Value, float>              ? 'f'
                                                     : '?';
}

template <typename... Parameters>
void describe(void (*)(Parameters...), char* text) {
    ((*text++ = std::is_pointer_v<Parameters> ? '*' : '=', *text++ = letter<Parameters>()), ...);
    *text = 0;
}

template <typename... Parameters, std::size_t... Number>
void run(void (*kernel)(Parameters...), const unsigned int* sizes, void** arguments, std::index_sequence<Number...>) {
    gridDim = {sizes[0], sizes[1], sizes[2]};
    blockDim = {sizes[3], sizes[4], sizes[5]};
    const unsigned long long blocks = 1ull * gridDim.x * gridDim.y * gridDim.z;
    unsigned long long step = 7919;  // a prime: every block comes once
    if (blocks % step == 0) step = 1;
    for (unsigned long long count = 0; count < blocks; ++count) {
        const unsigned long long block = (count * step + blocks / 2) % blocks;
        blockIdx.x = block % gridDim.x;
        blockIdx.y = block / gridDim.x % gridDim.y;
        blockIdx.z = block / gridDim.x / gridDim.y;
        for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
            for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
                for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x)
                    kernel(*static_cast<std::remove_cv_t<Parameters>*>(arguments[Number])...);
    }
}

template <typename... Parameters>
void run(void (*kernel)(Parameters...), const unsigned int* sizes, void** arguments) {
    run(kernel, sizes, arguments, std::index_sequence_for<Parameters...>{});
}
