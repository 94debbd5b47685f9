// What turns a trace into a plan: small rewrites, each with the property "same numbers as eager".
// They run in this order.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/calibration.h"
#include "engine/trace.h"

namespace mend {

/// Removes steps whose output nobody needs.
void remove_unused(Graph& graph);

/// Takes factors behind a step into its constants, where it can fold them: layer scales into the weights
/// and the bias of the convolution before them.
void fold_factors(Graph& graph);

/// Lets a step do its only reader's work too, where that fits: conv2d takes over the activation, the
/// scaling and the sum behind it, layer_norm the linear layer. On a GPU only into what runs there.
void absorb_epilogues(Graph& graph, DeviceKind device = DeviceKind::kCpu);

/// The three above, as a plan runs them, and the calibration of a plan too: their steps must be the same.
void fuse(Graph& graph, DeviceKind device = DeviceKind::kCpu);

/// Gives every step that can take them 8-bit integers for its input 0, in the codes of `calibration`:
/// written by the step before it, if that is such a step too and nobody else reads its output, or made
/// of the f32 value. It changes numbers. Throws UsageError if the network was not
/// calibrated with these steps.
void quantize(Graph& graph, const Calibration& calibration);

/// What makes narrow images of f32 ones, and f32 ones of these; see kernels/convert.
struct NarrowImages {
  AnyOp to_narrow, to_f32;
};

/// For a GPU: keeps images in f16 or bf16 from one step that can take them so to the next, and converts them
/// where a step cannot: half the bytes, and the faster products of tensor cores. Inputs and outputs of the
/// network stay f32. It changes numbers, as quantize does.
void narrow(Graph& graph, const NarrowImages& images);

/// For a GPU: makes one step of two in a row where an operation says that it is faster so, with what lies between them
/// on the chip. From the front on, and each step in one pair at most, if what becomes of two has no pairs itself.
void pair_steps(Graph& graph, DeviceKind device);

/// Fixes the rung of every step and adds the steps that repack its constants for that rung.
void lower(Graph& graph, DeviceKind device = DeviceKind::kCpu);

/// Takes out the steps whose inputs are all constant and returns them: they run once, before the
/// first run, and not in every run. Their outputs are constants from here on.
std::vector<Step> hoist_constants(Graph& graph);

/// Forgets what is read again only far behind the peak of memory, as a gradient reads the forward pass, and
/// does its steps again before that, segment by segment: the same bits, in less memory. Takes the number
/// of segments with the smallest arena; leaves the graph as it is if none makes it smaller.
void recompute(Graph& graph);

/// Makes one step of neighbouring steps that can run depth first, band by band of rows, where what lies
/// between them is larger than the cache: it then never leaves it, and takes no room in the arena.
/// `cache_bytes`: of one core's L2; 0 joins all that can be joined (for tests). `strips`: at most so
/// many threads will run.
void chain_rows(Graph& graph, std::int64_t cache_bytes, int strips);

/// For a CPU, which computes in f32 all the same: keeps images in f16 or bf16 between steps, half the bytes.
/// Steps whose rungs read and write them do so; beside others that have row parts they are converted,
/// and chain_rows joins the three where they are large; what is left reads f32. Inputs and outputs of
/// the network stay f32. Runs behind lower. It changes numbers, the same ones whatever the size and
/// the threads.
void narrow_rows(Graph& graph, const NarrowImages& images);

/// Where a value's pixels lie: channels [first_channel, ...) of the buffer of `buffer`.
struct Home {
  int buffer = kNoValue;  ///< the value whose buffer it is: itself, if it has its own
  int first_channel = 0;
};

/// Gives the inputs of a concatenation a home inside its output, so that they are written in place
/// and nothing is copied. Steps and their inputs stay as they are.
std::vector<Home> find_homes(const Graph& graph);

/// Where in the arena each buffer and each step's scratch starts, in bytes.
struct Placement {
  std::vector<std::int64_t> buffer_offset;   ///< by value; -1 for those without a buffer
  std::vector<std::int64_t> scratch_offset;  ///< by step; -1 for those without scratch
  std::int64_t arena_bytes = 0;
};

/// Places everything by lifetime: what is never alive at once shares memory. The inputs of the
/// network are alive from before the first step, its outputs until after the last. Values `elsewhere`, whose
/// memory is not the arena's, get no buffer.
Placement place(const Graph& graph, const std::vector<Home>& homes,
                const std::vector<std::int64_t>& scratch_bytes,
                const std::vector<int>& elsewhere = {});

}  // namespace mend
