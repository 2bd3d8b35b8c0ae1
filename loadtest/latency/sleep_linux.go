package main

import (
	"syscall"
	"time"
)

// pause sleeps in the kernel: the runtime's timers are up to a millisecond late on an idle thread, which is as much as
// what is measured.
func pause(d time.Duration) {
	rest := syscall.NsecToTimespec(int64(d))
	for syscall.Nanosleep(&rest, &rest) == syscall.EINTR {
	}
}
