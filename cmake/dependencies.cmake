# Everything here comes from the system; `make deps` installs it. What is optional says so when it is left out.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(STB REQUIRED IMPORTED_TARGET stb)
# Not find_package(libzip): Debian's config asks for programs that are in other packages.
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
find_package(CURL)
find_package(benchmark QUIET)
find_package(doctest QUIET)
find_path(HIGHWAY_INCLUDE hwy/highway.h REQUIRED)
find_library(HIGHWAY_LIBRARY hwy REQUIRED)

# One interface target for Highway: a shared list of instruction sets keeps the build short.
# SSE2 is the x86-64 baseline; SSE4, AVX2 and AVX-512 are chosen at run time.
add_library(mend_highway INTERFACE)
target_include_directories(mend_highway SYSTEM INTERFACE ${HIGHWAY_INCLUDE})
target_link_libraries(mend_highway INTERFACE ${HIGHWAY_LIBRARY})
target_compile_definitions(mend_highway INTERFACE
  HWY_DISABLED_TARGETS=\(HWY_SSSE3|HWY_AVX3_DL\))

# The image codecs, for restore/ alone.
add_library(mend_images INTERFACE)
target_link_libraries(mend_images INTERFACE PNG::PNG JPEG::JPEG PkgConfig::STB)

foreach(package CURL benchmark doctest)
  if(NOT ${package}_FOUND)
    message(STATUS "mend: ${package} not found; the parts that need it are left out (make deps installs it)")
  endif()
endforeach()
