#include "models/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/error.h"
#include "engine/log.h"
#include "models/aod_net.h"
#include "models/codeformer.h"
#include "models/dat.h"
#include "models/ddcolor.h"
#include "models/dmphn.h"
#include "models/dncnn.h"
#include "models/drunet.h"
#include "models/eccv16.h"
#include "models/edsr.h"
#include "models/espcn.h"
#include "models/fbcnn.h"
#include "models/ffdnet.h"
#include "models/fftformer.h"
#include "models/fsrcnn.h"
#include "models/gfpgan.h"
#include "models/hat.h"
#include "models/hit_srf.h"
#include "models/iat.h"
#include "models/lama.h"
#include "models/migan.h"
#include "models/mimo_unet.h"
#include "models/mprnet.h"
#include "models/nafnet.h"
#include "models/official_keys.h"
#include "models/omnisr.h"
#include "models/plksr.h"
#include "models/prenet.h"
#include "models/rdn.h"
#include "models/restormer.h"
#include "models/retinaface.h"
#include "models/retinexformer.h"
#include "models/rlfn.h"
#include "models/rrdbnet.h"
#include "models/safmn.h"
#include "models/sci.h"
#include "models/scunet.h"
#include "models/siggraph17.h"
#include "models/span.h"
#include "models/srcnn.h"
#include "models/srmd.h"
#include "models/srvgg.h"
#include "models/swinir.h"
#include "models/task.h"
#include "models/uformer.h"
#include "models/upcunet.h"
#include "models/vdsr.h"
#include "models/zero_dce.h"

namespace mend {
namespace {

std::string official_name(const Architecture& architecture, const std::string& name) {
  for (const auto& [alias, official] : architecture.aliases) {
    if (alias == name) return official;
  }
  return name;
}

/// Puts the entries of `given` over those of `hyper`; returns the first that the network does not
/// know, or "".
std::string overlay(const Identified& identified, const Json& given, const std::string& source,
                    Json& hyper) {
  std::string unknown;
  for (const auto& [name, value] : given.items()) {
    const std::string official = official_name(*identified.architecture, name);
    const Json& fixed = identified.recognised.fixed;
    if (!hyper.contains(official)) {
      if (unknown.empty()) unknown = name;
    } else if (!fixed.contains(official)) {
      hyper[official] = value;
    } else if (fixed.at(official) != value) {
      throw CheckpointError(fmt::format("{}: {} says {} = {}, the shapes say {}",
                                        identified.checkpoint.path, source, name, value.dump(),
                                        fixed.at(official).dump()));
    }
  }
  return unknown;
}

Json metadata_hyperparameters(const Checkpoint& checkpoint) {
  const auto entry = checkpoint.metadata.find("hyperparameters");
  if (entry == checkpoint.metadata.end()) return Json::object();
  const Json parsed = Json::parse(entry->second, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_object()) return parsed;
  throw CheckpointError(
      fmt::format("{}: metadata `hyperparameters` is no JSON object", checkpoint.path));
}

std::string list_of_names(const Json& hyper) {
  std::string names;
  for (const auto& [name, value] : hyper.items()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

/// "these 702 keys: a.weight, b.weight, c.weight ..."
std::string first_keys(const Checkpoint& checkpoint) {
  constexpr std::size_t kShown = 3, kLongestKey = 60;
  std::string text;
  std::size_t shown = 0;
  for (const auto& [key, tensor] : checkpoint.tensors) {
    if (shown++ == kShown) break;
    text += fmt::format("{}{}{}", text.empty() ? "" : ", ", key.substr(0, kLongestKey),
                        key.size() > kLongestKey ? "..." : "");
  }
  const std::size_t count = checkpoint.tensors.size();
  if (count == 0) return "no keys at all";
  return count <= kShown ? fmt::format("just the keys {}", text)
                         : fmt::format("these {} keys: {} ...", count, text);
}

/// "RRDBNet(num_feat 64, num_block 23)"
/// `network`, but it checks its inputs at the door.
Network checked(const Network& network, const Traits& traits, const std::string& description) {
  return [network, traits, description](const std::vector<Tensor>& inputs) {
    const std::size_t needed =
        traits.inputs.size() - static_cast<std::size_t>(traits.optional_inputs);
    if (inputs.size() < needed || inputs.size() > traits.inputs.size()) {
      throw ShapeError(fmt::format("{}: takes {} inputs ({} ...), but got {}", description,
                                   traits.inputs.size(), traits.inputs.front(), inputs.size()));
    }
    const Shape& shape = inputs.front().shape();
    if (shape.c != traits.input_channels) {
      throw ShapeError(fmt::format("{}: takes {} channels, but {} is {}", description,
                                   traits.input_channels, traits.inputs.front(), to_string(shape)));
    }
    if (std::min(shape.h, shape.w) < traits.smallest) {
      throw ShapeError(fmt::format("{}: takes at least {} x {} pixels, but {} is {}", description,
                                   traits.smallest, traits.smallest, traits.inputs.front(),
                                   to_string(shape)));
    }
    return network(inputs);
  };
}

}  // namespace

std::span<const Architecture> architectures() {
  // One a line, so that a new network is a new line.
  // clang-format off
  static const std::vector<Architecture> kTable = {
      aod_net(),
      codeformer(),
      dat(),
      ddcolor(),
      dmphn(),
      dncnn(),
      drunet(),
      eccv16(),
      edsr(),
      espcn(),
      fbcnn(),
      fdncnn(),
      ffdnet(),
      fftformer(),
      fsrcnn(),
      gfpgan(),
      hat(),
      hit_srf(),
      iat(),
      ircnn(),
      lama(),
      migan(),
      mimo_unet(),
      mprnet(),
      nafnet(),
      omnisr(),
      plksr(),
      prenet(),
      rdn(),
      restormer(),
      retinaface(),
      retinexformer(),
      rlfn(),
      rrdbnet(),
      safmn(),
      sapnet(),
      sci(),
      scunet(),
      siggraph17(),
      span(),
      srcnn(),
      srmd(),
      srvgg(),
      swinir(),
      uformer(),
      upcunet(),
      vdsr(),
      zero_dce(),
      zero_dce_pp(),
  };
  // clang-format on
  return kTable;
}

bool is_parameter(const std::string& key, const std::set<std::string>& all) {
  if (key == "mean" || key == "std") return false;
  for (const char* buffer : {"running_mean", "running_var", "weight_u", "noise_const"}) {
    if (key.ends_with(buffer)) return false;
  }
  if (key.find(".noises.noise") != std::string::npos) return false;
  // Spectral norm has a weight_u beside its weight_v; weight norm, which trains its own, has not.
  if (!key.ends_with("weight_v")) return true;
  return !all.contains(key.substr(0, key.size() - 1) + "u");
}

std::string describe(const Architecture& architecture, const Json& hyper) {
  std::string text;
  for (const auto& [name, value] : hyper.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name,
                        value.is_string() ? value.get<std::string>() : value.dump());
  }
  return fmt::format("{}({})", architecture.title, text);
}

Identified identify(Checkpoint checkpoint) {
  checkpoint = to_official_keys(std::move(checkpoint));
  for (const Architecture& architecture : architectures()) {
    if (std::optional<Recognised> recognised = architecture.recognise(checkpoint)) {
      return {std::move(checkpoint), &architecture, *std::move(recognised)};
    }
  }
  throw CheckpointError(
      fmt::format("{}: no known network has {}; `mend models` lists those that are known",
                  checkpoint.path, first_keys(checkpoint)));
}

Built make_network(const Architecture& architecture, const Json& hyper,
                   const std::shared_ptr<ParameterStore>& store) {
  Built built = architecture.make(Scope(store), hyper);
  const Checkpoint& checkpoint = store->checkpoint();
  const auto task = checkpoint.metadata.find("task");
  if (task == checkpoint.metadata.end()) return built;
  if (!is_task(task->second)) {
    detail(fmt::format("{}: the task in its metadata is none of ours, and not heeded",
                       checkpoint.path));
    return built;
  }
  if (!can_do(built.traits, task->second)) {
    throw CheckpointError(
        fmt::format("{}: its metadata says that it was trained for {}, which {} "
                    "cannot do",
                    checkpoint.path, task->second, describe(architecture, hyper)));
  }
  return made_for(task->second, std::move(built));
}

Json complete_hyperparameters(const Identified& identified, const Json& config) {
  const std::string& path = identified.checkpoint.path;
  Json hyper = identified.recognised.fixed;
  hyper.update(identified.recognised.defaults);
  const std::string foreign =
      overlay(identified, metadata_hyperparameters(identified.checkpoint), "its metadata", hyper);
  if (!foreign.empty()) detail(fmt::format("{}: metadata entry {} is not used", path, foreign));
  const std::string unknown = overlay(identified, config, "the configuration", hyper);
  if (!unknown.empty()) {
    throw UsageError(fmt::format("{} has no hyper-parameter {}; it has {}",
                                 identified.architecture->title, unknown, list_of_names(hyper)));
  }
  for (const auto& [name, value] : hyper.items()) {
    if (!value.is_null()) continue;
    throw CheckpointError(
        fmt::format("{}: no {} file tells its {}; give it: --config '{{\"{}\": ...}}'", path,
                    identified.architecture->title, name, name));
  }
  return hyper;
}

namespace {

/// The network with its parameters taken from `store`; not counted yet.
Model build(const Architecture& architecture, const Json& hyper, const std::string& description,
            const std::shared_ptr<ParameterStore>& store) {
  const Built built = make_network(architecture, hyper, store);
  store->finish();
  Model model{.name = architecture.name,
              .description = description,
              .made_up = false,
              .hyperparameters = hyper,
              .parameters = 0,
              .keys = {},
              .traits = built.traits,
              .forward = checked(built.forward, built.traits, description),
              .local = {}};
  if (built.local.forward) {
    model.local = {built.local.name, checked(built.local.forward, built.traits, description)};
  }
  return model;
}

}  // namespace

Model load_model(Checkpoint checkpoint, const Json& config) {
  Identified identified = identify(std::move(checkpoint));
  const Architecture& architecture = *identified.architecture;
  const Json hyper = complete_hyperparameters(identified, config);
  const std::string description = describe(architecture, hyper);
  const auto store =
      std::make_shared<ParameterStore>(std::move(identified.checkpoint), description);
  Model model = build(architecture, hyper, description, store);
  for (const auto& [key, tensor] : store->checkpoint().tensors) {
    if (!store->used().contains(key)) continue;
    model.keys.push_back(key);
    if (is_floating(tensor.type) && is_parameter(key, store->used())) {
      model.parameters += tensor.elements();
    }
  }
  return model;
}

Model untrained_model(const Architecture& architecture, const Json& hyperparameters) {
  const std::string description = describe(architecture, hyperparameters);
  const auto store = ParameterStore::untrained(description);
  Model model = build(architecture, hyperparameters, description, store);
  model.made_up = true;
  for (const auto& [key, elements] : store->made_up()) {
    model.keys.push_back(key);
    if (is_parameter(key, store->used())) model.parameters += elements;
  }
  return model;
}

}  // namespace mend
