// Package transfer copies files and folders between two file systems, of which
// one may be a machine's. What a machine says of its files is not trusted: a
// name leads nowhere but into the destination, and nothing is made but folders
// and plain files.
package transfer
