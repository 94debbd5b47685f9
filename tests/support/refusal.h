// How a reader refuses the bytes of a file.
#pragma once

#include <string>

namespace mend::test {

/// The message of the CheckpointError that read_checkpoint throws for a file of these bytes, without
/// the file's path; empty if it is accepted. Any other exception is passed on.
std::string refusal(const std::string& bytes);

}  // namespace mend::test
