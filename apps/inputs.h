// Which files to read, and what to call the results.
#pragma once

#include <string>
#include <vector>

namespace mend {

struct Job {
  std::string input, output;
  /// Why there is nothing to read: a pattern or folder without a picture. Else empty.
  std::string problem;
};

/// The pictures that inputs name (see plan_jobs), as jobs without an output.
std::vector<Job> jobs_of(const std::vector<std::string>& inputs);

/// Pairs every input with its output.
///
/// inputs: files, folders (their pictures, sorted, not those of subfolders), patterns with * ? [],
/// or "-" for standard input. output: a file for one input, a folder, which is created, or "-" for
/// standard output, again for one input.
/// Names in a folder are kept, with the extension replaced by .png if it cannot be written.
/// Throws UsageError (no output; several inputs and one output file; two results of one name; an
/// output that is its own input) or WriteError (the folder cannot be created).
std::vector<Job> plan_jobs(const std::vector<std::string>& inputs, const std::string& output);

/// By job: whether its input may be read before the jobs in front of it are done, as it is a file that is there
/// already, and none of them writes it. (A pipe may never end, and a thread that waits for it could not be stopped.)
std::vector<bool> can_be_read_ahead(const std::vector<Job>& jobs);

/// Whether it is the name of a folder that is there.
bool is_folder(const std::string& path);

/// The pictures of a folder by their extensions, sorted, without hidden ones and subfolders.
std::vector<std::string> pictures_of_folder(const std::string& folder);

/// The picture of `folder` whose name is that of `path` but for the extension; the first of several.
/// Throws InputError if there is none.
std::string picture_of_same_name(const std::string& folder, const std::string& path);

}  // namespace mend
