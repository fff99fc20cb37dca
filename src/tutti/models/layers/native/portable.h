/* The vectors of `packed.h` on processors other than x86: those of the compiler, 128 bits wide, as ARM's NEON has them.
   Products are widened or, with ARM's dot products, added in 32 bits: exact for any codes. */

typedef int32_t FN(Vec) __attribute__((vector_size(16)));
typedef int32_t FN(Loose) __attribute__((vector_size(16), aligned(4), may_alias));
typedef uint16_t FN(U16) __attribute__((vector_size(16)));
typedef uint8_t FN(U8) __attribute__((vector_size(16)));
typedef int8_t FN(S8) __attribute__((vector_size(16)));
#define V FN(Vec)
enum { FN(LANES) = 4, FN(TILE) = 4, FN(DIRECT) = 1 << 30 };
#define LOAD(p) ((V)*(const FN(Loose) *)(p))
#define STORE(p, v) (*(FN(Loose) *)(p) = (FN(Loose))(v))
#define FOUR(p) ((V){} + *(const int32_t *)(p))
#define SET8(b) ((V)((FN(U8)){} + (uint8_t)(b)))
#define SET32(b) ((V){} + (int32_t)(b))
#define ZERO() ((V){})
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define SHIFT16(a, n) ((V)((FN(U16))(a) >> (n)))
#define LEFT16(a, n) ((V)((FN(U16))(a) << (n)))
#define ADD8(a, b) ((V)((FN(U8))(a) + (FN(U8))(b)))
#define ADD32(a, b) ((a) + (b))
#define MUL16(a, b) ((V)((FN(U16))(a) * (FN(U16))(b)))
#define MUL32(a, b) ((a) * (b))
#define UNSIGNED(p) ((V){(p)[0], (p)[1], (p)[2], (p)[3]})
#define SIGNED(p) ((V){(int8_t)(p)[0], (int8_t)(p)[1], (int8_t)(p)[2], (int8_t)(p)[3]})
#define DOT(acc, w, x) FN(dot4)(acc, w, x)

/* acc += sums of four products of unsigned weights by signed activations. */
static inline __attribute__((always_inline)) V FN(dot4)(V acc, V w, V x) {
#if defined(DOTPROD)
    const int8x16_t codes = vreinterpretq_s8_s32((int32x4_t)x), half = vdupq_n_s8(64);
    const int8x16_t weights = vreinterpretq_s8_s32((int32x4_t)(w ^ SET8(128)));
    return (V)vdotq_s32(vdotq_s32(vdotq_s32((int32x4_t)acc, weights, codes), half, codes), half, codes);
#elif defined(__aarch64__)
    const int8x16_t codes = vreinterpretq_s8_s32((int32x4_t)x);
    const uint8x16_t weights = vreinterpretq_u8_s32((int32x4_t)w);
    const int16x8_t low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(weights)));
    const int16x8_t high = vreinterpretq_s16_u16(vmovl_high_u8(weights));
    const int16x8_t first = vmovl_s8(vget_low_s8(codes)), second = vmovl_high_s8(codes);
    const int32x4_t one = vpaddq_s32(vmull_s16(vget_low_s16(low), vget_low_s16(first)), vmull_high_s16(low, first));
    const int32x4_t two = vpaddq_s32(vmull_s16(vget_low_s16(high), vget_low_s16(second)), vmull_high_s16(high, second));
    return acc + (V)vpaddq_s32(one, two);
#else /* to be tried on any processor */
    const FN(U8) weights = (FN(U8))w;
    const FN(S8) codes = (FN(S8))x;
    for (int i = 0; i < 16; i++)
        acc[i / 4] += (int32_t)weights[i] * codes[i];
    return acc;
#endif
}
