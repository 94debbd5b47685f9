# The CUDA kernels. MEND_CUDA is on where nvcc is found; the program starts and works without a driver.
# "portable" is machine code for every kind of chip since Turing, and PTX for those to come. nvcc's front end runs twice for
# it, not once a chip: all but Turing's are made from the PTX of compute capability 8.0, the newest that our kernels ask for.
set(MEND_CUDA_ARCHITECTURES portable
    CACHE STRING "What nvcc compiles for: portable, or a list as CMAKE_CUDA_ARCHITECTURES")
set(MEND_CUDA_COMPRESSION speed CACHE STRING "How nvcc packs the code: speed, size, balance or none")
option(MEND_ONE_INSTRUCTION_SET "Compile the CPU's kernels for the oldest instruction set alone" OFF)

find_program(MEND_NVCC nvcc PATHS /usr/local/cuda/bin DOC "The CUDA compiler")
# Sanitizers, fuzzers and other processors look at the code of the host.
set(default OFF)
if(MEND_NVCC AND NOT CMAKE_CROSSCOMPILING AND NOT MEND_SANITIZE AND NOT MEND_FUZZ)
  set(default ON)
endif()
option(MEND_CUDA "Build the CUDA kernels (needs nvcc)" ${default})

if(NOT MEND_CUDA)
  message(STATUS "mend: no CUDA kernels (nvcc was not found, or MEND_CUDA is off)")
  return()
endif()
if(NOT MEND_NVCC)
  message(FATAL_ERROR "mend: MEND_CUDA is on, but there is no nvcc; say where with -DMEND_NVCC=/path/to/nvcc")
endif()

set(CMAKE_CUDA_COMPILER ${MEND_NVCC})
if(MEND_CUDA_ARCHITECTURES STREQUAL portable)
  set(CMAKE_CUDA_ARCHITECTURES OFF)
  string(APPEND CMAKE_CUDA_FLAGS " --generate-code=arch=compute_75,code=sm_75"
         " --generate-code=arch=compute_80,code=[compute_80,sm_80,sm_86,sm_89,sm_90,sm_100,sm_120]")
else()
  set(CMAKE_CUDA_ARCHITECTURES ${MEND_CUDA_ARCHITECTURES})
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc takes C++20
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
# 554: View<const T> has a conversion to itself that is never called.
string(APPEND CMAKE_CUDA_FLAGS " --expt-relaxed-constexpr -lineinfo -diag-suppress 554")
# LZ4, and not zstd, which the simulator can only read where libzstd is installed.
string(APPEND CMAKE_CUDA_FLAGS " --compress-mode=${MEND_CUDA_COMPRESSION}")

# Programs link the CUDA runtime statically. One with the property MEND_SHARED_CUDART takes the shared
# one, whose place the simulator can take.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
set(mend_cudart
    "$<IF:$<BOOL:$<TARGET_PROPERTY:MEND_SHARED_CUDART>>,${CUDA_cudart_LIBRARY},${CUDA_cudart_static_LIBRARY}>"
    rt dl pthread)

# mend_calls_cuda(SOURCE...): sources of the host that call the CUDA runtime.
function(mend_calls_cuda)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "-isystem;${CUDAToolkit_INCLUDE_DIRS}")
endfunction()
