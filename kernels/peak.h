// What this machine can do at best, measured: the bars that `mend bench` and the benches hold
// kernels against. Rungs are chosen by nominal peaks (engine/ladder.h), never by these.
#pragma once

namespace mend {

/// f32 operations a second (an FMA counts as 2) of `threads` threads on registers alone: independent
/// chains of FMAs, as many as the register file holds. The best of several runs of some milliseconds,
/// because other work on the machine can only take away. Throws nothing; takes about 50 ms.
double measure_fma_peak(int threads);

/// Bytes a second of y = x + a·z over arrays of 64 MB, far larger than L2, on `threads` threads;
/// counts two reads and one write. The best of several runs. Takes about 200 MB and half a second.
double measure_stream_peak(int threads);

}  // namespace mend
