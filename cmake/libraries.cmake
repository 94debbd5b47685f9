# What the floors link: libraries of the system behind names of our own.

# One interface target for Highway: a shared list of instruction sets keeps the build short.
# SSE4 is the x86-64 baseline (without its AES instructions, which no kernel uses); AVX2 and AVX-512
# are chosen at run time.
add_library(mend_highway INTERFACE)
target_include_directories(mend_highway SYSTEM INTERFACE ${HIGHWAY_INCLUDE})
target_link_libraries(mend_highway INTERFACE ${HIGHWAY_LIBRARY})
target_compile_definitions(mend_highway INTERFACE
  HWY_DISABLED_TARGETS=\(HWY_SSSE3|HWY_AVX3_DL\) HWY_DISABLE_PCLMUL_AES)

if(MEND_ONE_INSTRUCTION_SET)  # a third of the build time, for builds that look at the GPU
  target_compile_definitions(mend_highway INTERFACE HWY_COMPILE_ONLY_STATIC)
endif()

# The image codecs, for restore/ alone.
add_library(mend_images INTERFACE)
target_link_libraries(mend_images INTERFACE PNG::PNG JPEG::JPEG PkgConfig::STB)
