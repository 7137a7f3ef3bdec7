// Package rig drives the built snug command the way a user does: on pipes, on a
// pseudo-terminal, in a tmux pane.
//
// A [Rig] is a user's surroundings, in which nothing else runs: folders and
// variables of its own. It knows snug's processes in them, and fails its test if
// anything of snug is left at the end.
package rig
