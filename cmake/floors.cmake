# mend_floor(NAME DEPENDS ...): the static library mend_NAME from all sources below NAME/.
add_library(mend_options INTERFACE)
target_include_directories(mend_options INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                                  $<INSTALL_INTERFACE:include/mend>)
target_compile_options(mend_options INTERFACE
  $<BUILD_INTERFACE:-Wall;-Wextra;-Wshadow;-Wconversion;-Wno-sign-conversion>)
if(MEND_WERROR)
  target_compile_options(mend_options INTERFACE $<BUILD_INTERFACE:-Werror>)
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
  add_library(mend_${name} STATIC ${sources})
  target_link_libraries(mend_${name} PUBLIC mend_options ${FLOOR_DEPENDS})
endfunction()
