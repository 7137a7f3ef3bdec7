// Package bridge is the heart: terminal <-> program; size, signals, exit, teardown.
//
// What the program prints passes a [Filter] first, for it is hostile to a terminal. [Escapes] takes the in-band escapes
// out of what the user types; [Modes] follows what the program prints, at the filter's marks where there is one, and knows
// how to undo it.
package bridge
