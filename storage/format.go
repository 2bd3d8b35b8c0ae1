package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// FolderFormat is the format of a data folder as a whole. It grows whenever something in the folder is written in a way
// that the program before would misread or refuse: a segment, a record, a control record, a key or value of the state,
// Pebble's own files.
const FolderFormat = 2

// FormatFile is the file of a data folder that states its format. A folder without it, made before there was one, has
// format 1.
const FormatFile = "FORMAT"

// stateFormat is the version of Pebble's own files. A newer Pebble would raise it by itself, and no older program could
// open the state again: it is raised here, together with FolderFormat.
const stateFormat = pebble.FormatValueSeparation

const formatText = "freshet data folder, format "

// CheckFormat refuses a data folder that a newer program has written (ErrFormat). It comes before everything else, and
// changes nothing.
func CheckFormat(data string) error {
	name := filepath.Join(data, FormatFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the format of the data folder: %w", err)
	}
	number, ok := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), formatText)
	format, err := strconv.ParseUint(number, 10, 32)
	if !ok || err != nil || format == 0 {
		return fmt.Errorf("%w: %s holds %.80q, which states no format; restore the file, or remove it if this version of the program wrote the folder",
			ErrFormat, name, text)
	}
	return checkFormat("the data folder "+data, int(format), FolderFormat)
}

// checkFormat refuses what a newer program has written.
func checkFormat(what string, format, known int) error {
	if format <= known {
		return nil
	}
	return fmt.Errorf("%w: %s has format %d, this program reads up to %d: use the version of the program that wrote it, or a newer one",
		ErrFormat, what, format, known)
}

// WriteFormat states the format of a data folder, durably, where it is not stated yet. The folder's lock must be held.
func WriteFormat(data string) error {
	name, text := filepath.Join(data, FormatFile), fmt.Sprintf("%s%d\n", formatText, FolderFormat)
	if now, err := os.ReadFile(name); err == nil && string(now) == text {
		return nil
	}
	if err := replaceFile(name, []byte(text)); err != nil {
		return fmt.Errorf("state the format of the data folder: %w", err)
	}
	return nil
}
