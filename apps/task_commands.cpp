// upscale, denoise, dejpeg, lowlight, deblur, derain, dehaze: the same run over files, each with the
// options that its networks understand.
#include <memory>

#include "apps/model_source.h"
#include "apps/restore_files.h"
#include "apps/task_options.h"

namespace mend {
namespace {

struct Task {
  const char* name;
  const char* description;
  const char* examples;
  bool has_scale, has_sigma, has_quality;
};

// clang-format off
constexpr Task kTasks[] = {
    {"upscale", "Enlarge pictures",
     "  mend upscale photo.jpg -o large.png                          twice as large\n"
     "  mend upscale photo.jpg --scale 4 -o larger.png\n"
     "  mend upscale photo.jpg -w RealESRGAN_x4plus.pth -o large.png\n"
     "  mend upscale holiday/ -w realesr-general-x4v3.pth -o large/ --memory 2G\n"
     "  mend upscale photo.png -w vdsr.safetensors --scale 3 -o photo_x3.png\n", true, true, false},
    {"denoise", "Remove noise",
     "  mend denoise photo.png -o clean.png\n"
     "  mend denoise photo.png -w ffdnet_color.pth -o clean.png      measures the noise\n"
     "  mend denoise photo.png -w ffdnet_color.pth --sigma 25 -o clean.png\n"
     "  mend denoise scan.png -w dncnn_25.pth -o clean.png --strength 0.7\n", false, true, false},
    {"dejpeg", "Remove the blocks and rings of JPEG compression",
     "  mend dejpeg photo.jpg -o clean.png                           quality 75 and worse\n"
     "  mend dejpeg photo.jpg -w dncnn3.pth -o clean.png\n"
     "  mend dejpeg photo.jpg -w fbcnn_color.pth -o clean.png        finds the quality itself\n"
     "  mend dejpeg photo.jpg -w fbcnn_color.pth --jpeg-quality file -o clean.png\n", false, false, true},
    {"lowlight", "Brighten pictures taken in the dark",
     "  mend lowlight night.jpg -o day.png\n"
     "  mend lowlight night.jpg -w zero_dce.pth -o day.png\n", false, false, false},
    {"deblur", "Sharpen pictures that motion or focus blurred",
     "  mend deblur shaken.jpg -o sharp.png                          mild blur\n"
     "  mend deblur shaken.jpg -w NAFNet-GoPro-width32.pth -o sharp.png\n", false, false, false},
    {"derain", "Remove rain",
     "  mend derain street.png -w prenet.pth -o dry.png\n", false, false, false},
    {"dehaze", "Remove haze",
     "  mend dehaze valley.jpg -w aod_net.pth -o clear.png\n", false, false, false},
};
// clang-format on

struct TaskOptions {
  CommonOptions common;
  ModelSource source;
  FileOptions files;
  TaskSettings settings;
};

}  // namespace

void add_task_commands(Program& program) {
  for (const Task& task : kTasks) {
    const auto options = std::make_shared<TaskOptions>();
    CLI::App* command = program.add(task.name, task.description, task.examples, [options, &task] {
      options->common.apply(/*takes_gpu=*/true);
      const Model model = options->source.or_own_weights(task.name, options->settings.scale).load();
      check_task(task.name, model);
      return restore_files(picture_work(model, restore_options(options->settings, model)),
                           options->files, options->common);
    });
    options->files.add_to(*command);
    options->source.add_to(*command);
    TaskSettings& settings = options->settings;
    if (task.has_scale) {
      command->add_option("-s,--scale", settings.scale, "Output pixels per input pixel")
          ->check(CLI::Range(1, 8));
    } else {
      command->add_option("--strength", settings.strength, "0 keeps the picture, 1 the full effect")
          ->capture_default_str()
          ->check(CLI::Range(0.0, 1.0));
    }
    if (task.has_sigma) add_sigma(*command, settings);
    if (task.has_quality) add_jpeg_quality(*command, settings);
    options->common.add_to(*command);
  }
}

}  // namespace mend
