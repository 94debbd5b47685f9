# mend_floor(NAME DEPENDS ...): the static library mend_NAME from all sources below NAME/, without that of
# the MPI module (cmake/mpi.cmake).
add_library(mend_options INTERFACE)
target_include_directories(mend_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                  $<INSTALL_INTERFACE:include/mend>)
target_compile_options(mend_options INTERFACE
  $<BUILD_INTERFACE:$<$<NOT:$<COMPILE_LANGUAGE:CUDA>>:-Wall;-Wextra;-Wshadow;-Wconversion;-Wno-sign-conversion>>)
# SSE4.2 is in every x86-64 processor since 2009. As the baseline it replaces a scalar copy of every
# SIMD kernel; AVX2 and AVX-512 are chosen at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(mend_options INTERFACE $<BUILD_INTERFACE:$<$<NOT:$<COMPILE_LANGUAGE:CUDA>>:-march=x86-64-v2>>)
endif()
if(MEND_WERROR)
  target_compile_options(mend_options INTERFACE
    $<BUILD_INTERFACE:$<$<NOT:$<COMPILE_LANGUAGE:CUDA>>:-Werror>$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>>)
endif()
if(MEND_SANITIZE)
  target_compile_options(mend_options INTERFACE
    $<BUILD_INTERFACE:-fsanitize=${MEND_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>)
  target_link_options(mend_options INTERFACE $<BUILD_INTERFACE:-fsanitize=${MEND_SANITIZE}>)
endif()
if(MEND_FUZZ)  # lets libFuzzer see which branches an input took
  target_compile_options(mend_options INTERFACE $<BUILD_INTERFACE:-fsanitize=fuzzer-no-link>)
endif()

function(mend_floor name)
  cmake_parse_arguments(FLOOR "" "" "DEPENDS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/train/mpi/")
  set(host ${sources})  # of the GPU: engine/cuda/ and the rooms' cuda_*.cpp
  list(FILTER host INCLUDE REGEX "/engine/cuda/|/cuda_[a-z_0-9]*\\.cpp$")
  if(MEND_CUDA)
    file(GLOB_RECURSE kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cu)
    list(APPEND sources ${kernels})
    list(FILTER sources EXCLUDE REGEX "/gpu_absent\\.cpp$")
    mend_calls_cuda(${host})
  else()
    list(REMOVE_ITEM sources "" ${host})
  endif()
  add_library(mend_${name} STATIC ${sources})
  target_link_libraries(mend_${name} PUBLIC mend_options ${FLOOR_DEPENDS})
endfunction()

# For targets that only describe and dispatch work: nothing of theirs runs in an inner loop, so they
# are compiled for a short build, with the headers that cost the most parsed once.
function(mend_compile_light target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_precompile_headers(${target} PRIVATE ${ARGN})
endfunction()
