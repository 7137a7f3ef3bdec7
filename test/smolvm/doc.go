// Package smolvm gives a test a double of smolvm: a real command, with a machine's agent, crun and container behind it.
//
// The double keeps what makes smolvm hard to build on. Its machines have one config.json for all execs, which each
// truncates and writes without a lock; a pseudo-terminal is 0x0 and hears of no size; each version has other flags and
// other exit statuses. It keeps no microVM: a machine is a process in namespaces of its own. It needs root.
//
// Three profiles stand for the three ways in which smolvm brought execs up: [V05], [V06] and [V19].
//
// The log of a [Rig], [Rig.Execs], holds every exec that an agent saw, so that a test can count them.
package smolvm
