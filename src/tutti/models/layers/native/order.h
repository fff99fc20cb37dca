/* Weights brought into the order of the packed products: plain C, which the compiler makes vectors of. */

/* values (N, K) → blocks of INT8, rows and columns filled up with zeros. */
void tutti_order8(const int8_t *values, int64_t n, int64_t k, uint8_t *to) {
    const int64_t width = up(k, 4);
    memset(to, 128, (size_t)(up(n, BLOCK) * width));
    for (int64_t row = 0; row < n; row++) {
        const uint8_t *from = (const uint8_t *)values + row * k;
        uint8_t *place = to + row / BLOCK * BLOCK * width + row % BLOCK * 4;
        for (int64_t i = 0; i + 4 <= k; i += 4) {
            uint32_t four;
            memcpy(&four, from + i, 4);
            four ^= 0x80808080u;
            memcpy(place + i * BLOCK, &four, 4);
        }
        for (int64_t i = k / 4 * 4; i < k; i++)
            place[i / 4 * 4 * BLOCK + i % 4] = from[i] ^ 128;
    }
}

/* Codes in ATen's order, blocks of 2 `half` rows, column by column, a row of the first half and one of the second in a
   byte → blocks of INT4; steps and offsets are left as they are. */
void tutti_order4(const uint8_t *from, int64_t half, int64_t n, int64_t k, int64_t group, uint8_t *to) {
    for (int64_t row = 0; row < n; row += 2 * half, from += half * k) {
        uint8_t *block = to + row / BLOCK * (k / group * (2 * BLOCK + group * BLOCK / 2)) + row % BLOCK * 4;
        for (int64_t o = 0; o < k / 8; o++) {
            uint8_t *place = block + (o * 8 / group + 1) * 2 * BLOCK + o * 4 * BLOCK;
            const uint8_t *s = from + o * 8 * half;
            for (int64_t j = 0; j < half; j++) {
                uint32_t first = 0, second = 0;
                for (int b = 0; b < 4; b++) {
                    const uint32_t one = s[b * half + j], other = s[(b + 4) * half + j];
                    first |= ((one & 15) | (other & 15) << 4) << 8 * b;
                    second |= ((one >> 4) | (other & 240)) << 8 * b;
                }
                memcpy(place + j * 4, &first, 4);
                memcpy(place + (half + j) * 4, &second, 4);
            }
        }
    }
}
