package wire

type flagType = uint32

// vdisable switches a control character off (_POSIX_VDISABLE).
const vdisable = 0
