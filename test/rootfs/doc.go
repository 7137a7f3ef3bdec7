// Package rootfs makes small root file systems for containers, without network: a static busybox from Debian, a few
// folders, and two users, root and app.
package rootfs
