// How a kernel is made visible to ctypes.
#pragma once
#ifdef _WIN32
#define MIEN_EXPORT extern "C" __declspec(dllexport)
#else
#define MIEN_EXPORT extern "C" __attribute__((visibility("default")))
#endif
