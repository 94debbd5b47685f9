# mend_embed_checkpoints(TARGET FILE...): builds safetensors files into TARGET as they are, behind
# mend::embedded_checkpoints() of weights/embedded.h.
function(mend_embed_checkpoints target)
  if(APPLE)
    set(section ".const_data")
    set(prefix "_")
  else()
    set(section ".section .rodata")
    set(prefix "")
  endif()
  set(assembly "${section}\n")
  set(symbols "")
  set(rows "")
  foreach(file IN LISTS ARGN)
    cmake_path(GET file STEM name)
    string(MAKE_C_IDENTIFIER "mend_embedded_${name}" symbol)
    string(APPEND assembly ".balign 64\n.globl ${prefix}${symbol}\n.globl ${prefix}${symbol}_end\n"
                           "${prefix}${symbol}:\n.incbin \"${file}\"\n${prefix}${symbol}_end:\n")
    string(APPEND symbols "extern \"C\" const std::byte ${symbol}[], ${symbol}_end[];\n")
    string(APPEND rows "      {\"${name}\", {${symbol}, ${symbol}_end}},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  endforeach()
  if(NOT APPLE)
    string(APPEND assembly ".section .note.GNU-stack,\"\",%progbits\n")
  endif()
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/generated)
  file(CONFIGURE OUTPUT ${folder}/embedded_checkpoints.S @ONLY CONTENT "@assembly@")
  set_source_files_properties(${folder}/embedded_checkpoints.S PROPERTIES OBJECT_DEPENDS "${ARGN}")
  file(CONFIGURE OUTPUT ${folder}/embedded_checkpoints.cpp @ONLY CONTENT [=[
#include <vector>

#include "weights/embedded.h"

@symbols@
namespace mend {

std::span<const EmbeddedCheckpoint> embedded_checkpoints() {
  static const std::vector<EmbeddedCheckpoint> all = {
@rows@  };
  return all;
}

}  // namespace mend
]=])
  target_sources(${target} PRIVATE ${folder}/embedded_checkpoints.S
                                   ${folder}/embedded_checkpoints.cpp)
endfunction()

# mend_embed_text(TARGET FILE SYMBOL): builds the text of FILE into TARGET as mend::SYMBOL, a
# std::string_view, so that the program needs no file beside it.
function(mend_embed_text target file symbol)
  file(READ ${file} text)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated/${symbol}.cpp)
  file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT [=[
#include <string_view>
namespace mend {
extern const std::string_view @symbol@;
const std::string_view @symbol@ = R"embedded(@text@)embedded";
}  // namespace mend
]=])
  target_sources(${target} PRIVATE ${generated})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
endfunction()
