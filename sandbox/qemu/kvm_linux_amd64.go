package qemu

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of /dev/kvm (linux/kvm.h), for x86-64.
const (
	kvmGetAPIVersion       = 0xae00
	kvmCreateVM            = 0xae01
	kvmGetVCPUMmapSize     = 0xae04
	kvmCreateVCPU          = 0xae41
	kvmSetUserMemoryRegion = 0x4020ae46
	kvmRun                 = 0xae80
	kvmSetRegs             = 0x4090ae82
	kvmGetSregs            = 0x8138ae83
	kvmSetSregs            = 0x4138ae84

	kvmAPIVersion = 12
	kvmExitHLT    = 5
	codeAddress   = 0x1000
)

// KVMLoop runs a small guest on /dev/kvm and writes one line to w: "ok" and how
// long it took, or why KVM is of no use. It may hang: run it in a child process
// (see ProbeKVM).
func KVMLoop(w io.Writer) error {
	took, err := timeKVM()
	switch {
	case err != nil:
		_, err = fmt.Fprintln(w, err)
	case took > kvmSlow:
		_, err = fmt.Fprintf(w, "/dev/kvm emulates instructions (a loop that takes under 1 ms on hardware took %v), and cannot run a guest\n", took.Round(time.Millisecond))
	default:
		_, err = fmt.Fprintf(w, "%s /dev/kvm runs guests on the hardware (%v)\n", kvmOK, took.Round(time.Microsecond))
	}
	return err
}

// timeKVM is the best of three runs: a busy machine delays one, not all.
func timeKVM() (time.Duration, error) {
	best := time.Hour
	for range 3 {
		took, err := runLoop()
		if err != nil {
			return 0, err
		}
		if best = min(best, took); best <= kvmSlow {
			break
		}
	}
	return best, nil
}

// runLoop runs the loop once, on a machine of its own. What it opens is freed by
// the end of the child that it runs in.
func runLoop() (time.Duration, error) {
	kvm, err := openKVM()
	if err != nil {
		return 0, err
	}
	vm, err := unix.IoctlRetInt(kvm, kvmCreateVM)
	if err != nil {
		return 0, fmt.Errorf("/dev/kvm opens, but creates no machine: %w", err)
	}
	memory, err := loopMemory(vm)
	if err != nil {
		return 0, fmt.Errorf("/dev/kvm takes no memory: %w", err)
	}
	defer runtime.KeepAlive(memory)
	vcpu, exit, err := loopCPU(kvm, vm)
	if err != nil {
		return 0, fmt.Errorf("/dev/kvm creates no processor: %w", err)
	}
	start := time.Now()
	for {
		_, err = unix.IoctlRetInt(vcpu, kvmRun)
		if !errors.Is(err, unix.EINTR) { // Go's own signals
			break
		}
	}
	took := time.Since(start)
	if err != nil {
		return 0, fmt.Errorf("/dev/kvm creates a machine, but does not run it: %w", err)
	}
	if reason := binary.LittleEndian.Uint32(exit[8:]); reason != kvmExitHLT {
		return 0, fmt.Errorf("/dev/kvm creates a machine, but does not run it (exit reason %d)", reason)
	}
	return took, nil
}

func openKVM() (int, error) {
	fd, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, errors.New("there is no /dev/kvm: switch virtualization on in the firmware, or in the settings of the machine that this one runs in")
	case errors.Is(err, fs.ErrPermission):
		return 0, errors.New("no permission for /dev/kvm: add yourself to the group kvm ('sudo usermod -aG kvm $USER', then log in again)")
	case err != nil:
		return 0, fmt.Errorf("/dev/kvm does not open: %w", err)
	}
	version, err := unix.IoctlRetInt(fd, kvmGetAPIVersion)
	if err == nil && version != kvmAPIVersion {
		err = fmt.Errorf("version %d", version)
	}
	if err != nil {
		return 0, fmt.Errorf("/dev/kvm does not answer as KVM does: %w", err)
	}
	return fd, nil
}

// loopMemory gives vm a page with the loop, in 16-bit code:
//
//	mov ecx, kvmLoops; again: dec ecx; jnz again; hlt
func loopMemory(vm int) ([]byte, error) {
	const size = 4096
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	code := binary.LittleEndian.AppendUint32([]byte{0x66, 0xb9}, kvmLoops)
	copy(memory, append(code, 0x66, 0x49, 0x75, 0xfc, 0xf4))
	region := struct {
		slot, flags         uint32
		guest, size, memory uint64
	}{guest: codeAddress, size: size, memory: uint64(uintptr(unsafe.Pointer(&memory[0])))}
	err = ioctlPointer(vm, kvmSetUserMemoryRegion, unsafe.Pointer(&region))
	return memory, err
}

// loopCPU makes a processor that stands before the loop, and maps the page that
// it tells its exits in.
func loopCPU(kvm, vm int) (vcpu int, exit []byte, err error) {
	if vcpu, err = unix.IoctlRetInt(vm, kvmCreateVCPU); err != nil {
		return 0, nil, err
	}
	size, err := unix.IoctlRetInt(kvm, kvmGetVCPUMmapSize)
	if err != nil {
		return 0, nil, err
	}
	if exit, err = unix.Mmap(vcpu, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return 0, nil, err
	}
	var sregs [312]byte
	if err = ioctlPointer(vcpu, kvmGetSregs, unsafe.Pointer(&sregs)); err != nil {
		return 0, nil, err
	}
	clear(sregs[0:8])   // cs.base
	clear(sregs[12:14]) // cs.selector
	if err = ioctlPointer(vcpu, kvmSetSregs, unsafe.Pointer(&sregs)); err != nil {
		return 0, nil, err
	}
	regs := [18]uint64{16: codeAddress, 17: 2} // rip, and the flags' one fixed bit
	err = ioctlPointer(vcpu, kvmSetRegs, unsafe.Pointer(&regs))
	return vcpu, exit, err
}

// ioctlPointer passes a pointer. It stays one up to the system call, for the stack that
// it may point into can move until then.
func ioctlPointer(fd int, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}
