// Whether kernels may use AVX2: the processor has it, and no test has forbidden it. The bits are the same.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#define MIEN_AVX2 1
#include <immintrin.h>

bool may_use_avx2();
#endif
