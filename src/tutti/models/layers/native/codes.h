/* Codes of activations: those of `quantize_rows`, bit for bit: built without contraction, rounded to even. */

#include <math.h>
#include <string.h>

#ifdef X86
/* x (K,) → codes (K,) within +-levels; returns the largest magnitude, NaN where one is not finite. */
AVX2 static float codes_of_row(const float *x, int8_t *codes, int64_t k, int levels) {
    /* Magnitudes are ordered as whole numbers are, infinity and NaN above all. */
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i most8 = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 8 <= k; i += 8)
        most8 = _mm256_max_epi32(most8, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + i)), magnitude));
    int32_t lanes[8], most = 0, bits;
    _mm256_storeu_si256((__m256i *)lanes, most8);
    for (int lane = 0; lane < 8; lane++)
        most = lanes[lane] > most ? lanes[lane] : most;
    for (; i < k; i++) {
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    if (most >= 0x7f800000) { /* makes the whole row so, by its scale */
        memset(codes, 0, (size_t)k);
        return NAN;
    }
    float top;
    memcpy(&top, &most, 4);
    top = top < 1e-30f ? 1e-30f : top;
    const float by = 1.0f / top * (float)levels; /* in torch's order */
    const __m256 by8 = _mm256_set1_ps(by);
    for (i = 0; i + 32 <= k; i += 32) {
        const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), by8));
        const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 8), by8));
        const __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 16), by8));
        const __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + 24), by8));
        const __m256i all = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_si256((__m256i *)(codes + i), _mm256_permutevar8x32_epi32(all, order));
    }
    for (; i < k; i++)
        codes[i] = (int8_t)_mm_cvtss_si32(_mm_set_ss(x[i] * by));
    return top;
}
#else
static float codes_of_row(const float *x, int8_t *codes, int64_t k, int levels) {
    int32_t most = 0;
    for (int64_t i = 0; i < k; i++) {
        int32_t bits;
        memcpy(&bits, x + i, 4);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    if (most >= 0x7f800000) {
        memset(codes, 0, (size_t)k);
        return NAN;
    }
    float top;
    memcpy(&top, &most, 4);
    top = top < 1e-30f ? 1e-30f : top;
    const float by = 1.0f / top * (float)levels;
    for (int64_t i = 0; i < k; i++)
        codes[i] = (int8_t)(int32_t)rintf(x[i] * by);
    return top;
}
#endif
