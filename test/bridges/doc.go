// Package bridges tests the bridges that need no agent in the machine: real tools in boxes where none can be placed, and
// the double of smolvm, which knows of every exec.
package bridges
