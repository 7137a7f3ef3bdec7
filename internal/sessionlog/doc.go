// Package sessionlog keeps what happened in one session on disk, in a folder of its own: all output, and when there was
// input, a size, a viewer, an end. A keeper writes it; a later keeper goes on where it ended; others read it meanwhile.
//
//	l, err := sessionlog.Create(dir, sessionlog.Options{}, meta, sessionlog.Checkpoint{Size: size})
//	err = l.Output(p)                   // is in the kernel when the call returns
//	if l.Due() {
//		err = l.Checkpoint(now)     // the screen at l.Offset(): starts the next segment, drops the oldest
//	}
//	err = l.Exit(status)
//
//	l, state, err := sessionlog.Open(dir, sessionlog.Options{}) // a later keeper
//	screen.Write(state.Checkpoint.Snapshot)
//	for rec, err := range state.Records() { ... }               // and what came after
//
//	r, err := sessionlog.NewReader(dir) // anybody else of the same user
//	for rec, err := range r.Follow(ctx) { ... }
//
// # Format
//
// The folder (mode 0700) holds segments (0600), named by a number of 16 digits that rises by one: 0000000000000001.log.
// A segment is written to the name "new" up to its checkpoint, then renamed; so no segment is without its checkpoint. It
// begins with the 8 bytes "snuglog" and 1, the version; then come records, the first of them a checkpoint:
//
//	offset  bytes
//	     0      4  length of the payload, at most 16 MiB
//	     4      4  CRC-32C of all other bytes of the record
//	     8      1  kind
//	     9      8  elapsed time since the session's start, in nanoseconds
//	    17         payload
//
// Numbers here are little-endian. In payloads they are varints as of encoding/binary, and a text is its length and its
// bytes. A kind that a reader does not know is skipped, and so is what follows the fields that it knows of a kind without
// content of variable length at its end; so later versions may add both.
//
// # Bounds
//
// A segment is full after SegmentSize (1 MiB) of records behind its checkpoint; after four times as much, 1 MiB at
// least, there is a gap unless there is a checkpoint. The oldest segments are dropped whole, so
// that all of them, with the newest one grown full, stay within Limit (16 MiB); the newest segment always stays. A
// checkpoint's snapshot is at most 8 MiB, and its owner decides by the lines of scrollback how large it is: where it is
// a large part of Limit, little history remains beside it. A record of output has at most 256 KiB: more is split.
//
// # What survives what
//
// Each record is one write(2), with no buffer of ours before it: whatever kills the writer loses nothing whose call had
// returned. A record that was torn in the write is cut off by Open.
//
// Only Exit, Failure and Close wait for the disk (fsync). A wait at each checkpoint would hold a program's output up by
// that long; it is left to the kernel, which writes back within some 30 s. So power loss may lose the newest records
// or segments, and Open goes on from the last record that is whole in the last segment whose checkpoint is. A broken
// older segment is dropped with all before it: what is kept has no holes but those that are marked.
//
// # Gaps
//
// An append that fails (a full disk, a quota, a limit on file sizes) cuts off what it has written of the record, returns
// the error, and leaves a gap: every further append returns [ErrGap], though offsets and totals count on, until a
// checkpoint can be written. [Log.Due] says when to try, at most once a second. The checkpoint says that it follows a gap,
// and readers see a [Gap] before it.
//
// # Clocks
//
// Elapsed time is of the monotonic clock within a process and never goes backward, also not from one keeper to the
// next. The time that the machine sleeps does not count. What passed between two keepers is of the wall clock: nothing if
// that went backward, and at most 30 days.
//
// A record's wall-clock time is its checkpoint's and what has elapsed since. Where the two clocks come apart by more than a
// second, because one was set or the machine slept, a [Clock] record says so, and times go on from there.
package sessionlog
