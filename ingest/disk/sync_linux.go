package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out what reading the content does not need, such as the time of the last change: no journal entry
// where the file's size and blocks stay as they are.
func syncData(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
