/* What a decode step does with rows of float32, included once for each set of instructions. A row's results depend on
   no other row and on no number of threads. Vectors are those of the compiler, sixteen wide. */

typedef float FN(F16) __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t FN(I16) __attribute__((vector_size(64), aligned(4), may_alias));
typedef float FN(F8) __attribute__((vector_size(32)));
typedef float FN(F4) __attribute__((vector_size(16)));
#define F16 FN(F16)
#define AT(p) (*(const F16 *)(p))
#define TO(p) (*(F16 *)(p))
#define ALL(x) ((F16){} + (x))

INLINE float FN(sum16)(F16 v) {
    const FN(F8) a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                     __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    const FN(F4) b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
    return (b[0] + b[2]) + (b[1] + b[3]);
}

INLINE F16 FN(where)(FN(I16) mask, F16 yes, F16 no) { return (F16)((mask & (FN(I16))yes) | (~mask & (FN(I16))no)); }

/* e^x for x <= 88, to 2 units in the last place; 0 below -87. */
INLINE F16 FN(exp16)(F16 x) {
    x = FN(where)((FN(I16))(x > 88.0f), ALL(88.0f), x);
    const F16 magic = ALL(12582912.0f); /* 1.5 * 2^23: whole numbers are the last bits then */
    const F16 shifted = x * 1.44269504f + magic, n = shifted - magic;
    const F16 r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    F16 p = ALL(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const FN(I16) power = (((FN(I16))shifted - (FN(I16))magic) + 127) << 23;
    const F16 out = p * (F16)power;
    return FN(where)((FN(I16))(x < -87.0f), ALL(0.0f), out);
}

INLINE float FN(dot)(const float *a, const float *b, int64_t n) {
    F16 sum = ALL(0.0f);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        sum += AT(a + i) * AT(b + i);
    float out = FN(sum16)(sum);
    for (; i < n; i++)
        out += a[i] * b[i];
    return out;
}

/* out = x / rms(x) * weight */
static void FN(norm)(const float *x, const float *weight, float eps, int64_t n, float *out) {
    const float scale = 1.0f / sqrtf(FN(dot)(x, x, n) / (float)n + eps);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        TO(out + i) = AT(x + i) * scale * AT(weight + i);
    for (; i < n; i++)
        out[i] = x[i] * scale * weight[i];
}

/* out = silu(gate) * up */
static void FN(gated)(const float *gate, const float *up_, int64_t n, float *out) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const F16 x = AT(gate + i);
        TO(out + i) = x / (1.0f + FN(exp16)(-x)) * AT(up_ + i);
    }
    for (; i < n; i++)
        out[i] = gate[i] / (1.0f + expf(-gate[i])) * up_[i];
}

/* Halves of a head turn together. */
static void FN(turn)(float *x, const float *cosine, const float *sine, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        const float a = x[i], b = x[i + half];
        x[i] = a * cosine[i] - b * sine[i];
        x[i + half] = b * cosine[i] + a * sine[i];
    }
}

/* `count` rows of x by `many` rows of weights, float32: a row's sums run in the same order whatever else there is. */
INLINE void FN(floats)(const float *w, const float *x, int64_t k, int64_t stride, const int many, const int count,
                       float *out, int64_t out_stride, const float *bias, int adds) {
    F16 acc[4][4];
    for (int r = 0; r < many; r++)
        for (int c = 0; c < count; c++)
            acc[r][c] = ALL(0.0f);
    int64_t i = 0;
    for (; i + 16 <= k; i += 16) {
        F16 rows[4];
        for (int c = 0; c < count; c++)
            rows[c] = AT(x + c * stride + i);
        for (int r = 0; r < many; r++) {
            const F16 one = AT(w + r * k + i);
            for (int c = 0; c < count; c++)
                acc[r][c] += one * rows[c];
        }
    }
    for (int r = 0; r < many; r++)
        for (int c = 0; c < count; c++) {
            float sum = FN(sum16)(acc[r][c]);
            for (int64_t j = i; j < k; j++)
                sum += w[r * k + j] * x[c * stride + j];
            sum += bias == NULL ? 0.0f : bias[r];
            float *to = out + c * out_stride + r;
            *to = adds ? *to + sum : sum;
        }
}

/* Its part of out (rows, stride) = or += x (rows, K) by the matrix. */
static void FN(float_product)(Member one, const Matrix *m, const float *x, int64_t rows, float *out, int64_t stride,
                              int adds) {
    int64_t first, stop;
    share(one, m->n, 16, &first, &stop);
    for (int64_t n = first; n < stop;) {
        const int many = stop - n >= 2 ? 2 : 1;
        const float *w = (const float *)m->weight + n * m->k, *bias = m->bias == NULL ? NULL : m->bias + n;
        for (int64_t r = 0; r < rows;) {
            const int count = rows - r >= 4 ? 4 : 1;
            const float *from = x + r * m->k;
            float *to = out + r * stride + n;
            if (many == 2 && count == 4)
                FN(floats)(w, from, m->k, m->k, 2, 4, to, stride, bias, adds);
            else if (many == 2)
                FN(floats)(w, from, m->k, m->k, 2, 1, to, stride, bias, adds);
            else
                for (int c = 0; c < count; c++)
                    FN(floats)(w, from + c * m->k, m->k, m->k, 1, 1, to + c * stride, stride, bias, adds);
            r += count;
        }
        n += many;
    }
}

/* out += weights times some rows of `up`, (count, stride). */
INLINE void FN(weigh)(const float *weights, const float *up_, int64_t stride, const int count, float *out, int64_t n) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        F16 sum = AT(out + i);
        for (int j = 0; j < count; j++)
            sum += AT(up_ + j * stride + i) * weights[j];
        TO(out + i) = sum;
    }
    for (; i < n; i++)
        for (int j = 0; j < count; j++)
            out[i] += up_[j * stride + i] * weights[j];
}

/* out (n,) += what an adapter makes of x (k,): its rows `from` to `to`, of which `out` is the part behind `skipped`. */
static void FN(beside)(const Change *change, const float *x, int64_t k, int64_t from, int64_t to, int64_t skipped,
                       float *out, int64_t n) {
    float inner[4];
    for (int64_t j = from; j < to;) {
        const int count = to - j >= 4 ? 4 : 1;
        for (int i = 0; i < count; i++)
            inner[i] = FN(dot)(x, change->down + (j + i) * k, k);
        const float *up_ = change->up + j * change->n + skipped;
        if (count == 4)
            FN(weigh)(inner, up_, change->n, 4, out, n);
        else
            FN(weigh)(inner, up_, change->n, 1, out, n);
        j += count;
    }
}

/* What each row's adapter adds to the part of out (rows, stride) that this thread has made. */
static void FN(changes)(Member one, const Matrix *m, const float *x, const int64_t *adapters, int64_t rows, float *out,
                        int64_t stride) {
    int64_t first, stop;
    share(one, m->n, m->kind == FLOAT32 ? 16 : BLOCK, &first, &stop);
    for (const Change *c = m->changes; c < m->changes + m->changed; c++) {
        const int64_t begin = c->first > first ? c->first : first;
        const int64_t end = c->first + c->n < stop ? c->first + c->n : stop;
        for (int64_t row = 0; begin < end && row < rows; row++)
            if (adapters[row] >= 0)
                FN(beside)(c, x + row * m->k, m->k, c->ends[adapters[row]], c->ends[adapters[row] + 1], begin - c->first,
                           out + row * stride + begin, end - begin);
    }
}
