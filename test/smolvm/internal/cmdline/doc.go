// Package cmdline reads smolvm's command line as strictly as smolvm does, for each of its versions.
package cmdline
