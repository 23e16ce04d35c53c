// Move vertices on a CUDA device: see blend.py, whose references say what each function means.
// One thread for each vertex. It gathers its own rows, shape by shape, so the order of the sum is the
// reference's; each shape's rows are sorted, so a binary search finds them.

extern "C" __global__ void blend(const float* rest, int vertices, const long long* starts, const int* rows,
                                 const float* deltas, int count, const float* weights, int shapes,
                                 float* positions) {
    const int vertex = blockIdx.x * blockDim.x + threadIdx.x;
    if (vertex >= vertices) return;

    float x = rest[3ll * vertex], y = rest[3ll * vertex + 1], z = rest[3ll * vertex + 2];
    for (int k = 0; k < shapes; ++k) {
        const float weight = weights[k];
        if (weight == 0.0f) continue;
        const long long end = starts[k + 1] < count ? starts[k + 1] : count;
        long long first = starts[k] > 0 ? starts[k] : 0, last = end;
        while (first < last) {
            const long long middle = (first + last) / 2;
            if (rows[middle] < vertex)
                first = middle + 1;
            else
                last = middle;
        }
        for (; first < end && rows[first] == vertex; ++first) {
            x += weight * deltas[3 * first];
            y += weight * deltas[3 * first + 1];
            z += weight * deltas[3 * first + 2];
        }
    }
    positions[3ll * vertex] = x;
    positions[3ll * vertex + 1] = y;
    positions[3ll * vertex + 2] = z;
}

extern "C" __global__ void turn(float* positions, int vertices, const float* share, const float* rotation,
                                const float* pivot, const float* shift) {
    const int v = blockIdx.x * blockDim.x + threadIdx.x;
    if (v >= vertices) return;

    float* vertex = positions + 3ll * v;
    const float centred[3] = {vertex[0] - pivot[0], vertex[1] - pivot[1], vertex[2] - pivot[2]};
    for (int axis = 0; axis < 3; ++axis) {
        const float* row = rotation + 3 * axis;
        const float turned = row[0] * centred[0] + row[1] * centred[1] + row[2] * centred[2];
        vertex[axis] += share[v] * (turned - centred[axis] + shift[axis]);
    }
}
