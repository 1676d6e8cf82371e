/*
 * tests/fuzz/fuzz.h -- what a fuzzer is: one function that takes any bytes and aborts where a claim does not hold.
 *
 * Under --enable-fuzzers (clang) libFuzzer calls it; otherwise corpus-main.c runs it over the kept inputs, as a test.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
