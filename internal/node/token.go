package node

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"
)

// RootTokenFile is the file in the data folder that holds the root token.
const RootTokenFile = "root.token"

// rootTokenBytes is how much of a new root token is random.
const rootTokenBytes = 32

// rootToken reads the root token of the data folder, and makes one at the first start.
func rootToken(data string, log *zerolog.Logger) (string, error) {
	path := filepath.Join(data, RootTokenFile)
	text, err := os.ReadFile(path)
	if err == nil {
		token := strings.TrimSpace(string(text))
		if token == "" {
			return "", fmt.Errorf("the root token in %s is empty: remove the file to have a new one made", path)
		}
		return token, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the root token: %w", err)
	}
	random := make([]byte, rootTokenBytes)
	if _, err := rand.Read(random); err != nil {
		return "", fmt.Errorf("draw a root token: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(random)
	if err := writeToken(path, token); err != nil {
		return "", fmt.Errorf("write the root token: %w", err)
	}
	log.Info().Str("file", path).Msg("root token written")
	return token, nil
}

// writeToken writes the token so that the file is whole or absent after a crash.
func writeToken(path, token string) error {
	next := path + ".new"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(token + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(next, path)
}
