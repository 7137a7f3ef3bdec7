package qemu

// KillProcess kills QEMU as a stranger would, behind the machine's back.
func (vm *VM) KillProcess() { _ = vm.process.kill() }
