#include "train/training_log.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/atomic_file.h"
#include "engine/error.h"

namespace mend {
namespace {

constexpr const char* kHeader = "step,loss,learning_rate,gradient_norm,seconds_per_step";
constexpr const char* kValidationHeader = "step,psnr_db,psnr_of_input_db";

/// The step that a CSV row or JSON line is of; -1 for none.
std::int64_t step_of(const std::string& line) {
  const std::size_t digit = line.find_first_of("0123456789");
  return digit == std::string::npos ? -1 : std::strtoll(line.c_str() + digit, nullptr, 10);
}

/// Keeps the header, if there is one, and the rows up to `step`; what was written by halves goes too.
std::vector<std::string> keep_rows(const std::string& path, const char* header, std::int64_t step) {
  std::vector<std::string> rows;
  {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line) && !file.eof();) {
      const std::int64_t of = step_of(line);
      if (of >= 0 && of <= step && line != header) rows.push_back(line);
    }
  }
  std::string text = *header != '\0' ? std::string(header) + "\n" : "";
  for (const std::string& row : rows) text += row + "\n";
  AtomicFile file(path);
  file.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  file.commit();
  return rows;
}

void append(const std::string& path, const std::string& line) {
  std::ofstream file(path, std::ios::app);
  file << line << "\n";
  file.flush();
  if (!file) throw WriteError(fmt::format("{}: cannot be written; is the disk full?", path));
}

}  // namespace

TrainingLog::TrainingLog(std::string folder, std::int64_t step, bool is_adversarial)
    : folder_(std::move(folder)) {
  const std::string header = std::string(kHeader) + (is_adversarial ? ",discriminator_loss" : "");
  keep_rows(folder_ + "/log.csv", header.c_str(), step);
  keep_rows(folder_ + "/log.jsonl", "", step);
  for (const std::string& row : keep_rows(folder_ + "/validation.csv", kValidationHeader, step)) {
    const std::size_t comma = row.find(',');
    if (comma == std::string::npos) continue;
    validations_.push_back(
        {static_cast<double>(step_of(row)), std::strtod(row.c_str() + comma + 1, nullptr)});
  }
}

void TrainingLog::add(const LogRow& row) {
  std::string line = fmt::format("{},{:.6g},{:.6g},{:.6g},{:.4g}", row.step, row.loss,
                                 row.learning_rate, row.gradient_norm, row.seconds);
  if (row.discriminator_loss) line += fmt::format(",{:.6g}", *row.discriminator_loss);
  append(folder_ + "/log.csv", line);
  nlohmann::ordered_json json = {{"step", row.step},
                                 {"loss", row.loss},
                                 {"learning_rate", row.learning_rate},
                                 {"gradient_norm", row.gradient_norm},
                                 {"seconds_per_step", row.seconds}};
  if (row.discriminator_loss) json["discriminator_loss"] = *row.discriminator_loss;
  append(folder_ + "/log.jsonl", json.dump());
}

void TrainingLog::add(std::int64_t step, const ValidationScore& score) {
  append(folder_ + "/validation.csv",
         fmt::format("{},{:.4f},{:.4f}", step, score.psnr, score.psnr_of_input));
  validations_.push_back({static_cast<double>(step), score.psnr});
}

}  // namespace mend
