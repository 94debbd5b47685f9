#include "tests/support/refusal.h"

#include "engine/error.h"
#include "tests/support/paths.h"
#include "weights/checkpoint.h"

namespace mend::test {

std::string refusal(const std::string& bytes) {
  static const TemporaryFolder folder;
  const std::string path = folder / "hostile";
  write_file(path, bytes);
  try {
    read_checkpoint(path);
  } catch (const CheckpointError& error) {
    const std::string message = error.what();
    return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
  }
  return "";
}

}  // namespace mend::test
