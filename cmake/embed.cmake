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
